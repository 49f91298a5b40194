"""What the market's contracts store at a block, proven against the state root of a verified header (`eth_getProof`).

Storage keys are computed from solc's layout: a contract may say one thing when it is called and store another, and a
node may answer a call as it likes; a proof leaves neither a choice.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ledger.artifacts import Artifact, Deployment
from ledger.audit.books import Finding, Unseen
from ledger.audit.receipts import Node, Nonsense
from ledger.audit.tries import BadProof, keccak, proven, quantity, rlp_read
from ledger.errors import NodeRefused

_SLOTS_AT_ONCE = 256


@dataclass(frozen=True, slots=True)
class Expected:
    """A storage word of a contract as the books have it: under `rule`, `mask` of its bits are known."""

    rule: str
    contract: str
    where: str
    key: bytes
    word: int
    mask: int = (1 << 256) - 1


def mapped(slot: int, *keys: int | str) -> bytes:
    """The storage key of a mapping's entry, nested mappings' outer key first; addresses as text."""
    place = slot.to_bytes(32)
    for key in keys:
        place = keccak((int(key, 16) if isinstance(key, str) else key).to_bytes(32) + place)
    return place


def after(key: bytes, words: int) -> bytes:
    """The key of a struct's later word."""
    return (int.from_bytes(key) + words).to_bytes(32)


def expected_words(books: Any, artifacts: Mapping[str, Artifact]) -> Iterable[Expected]:
    """The main slots, as the books (a Replay) have them."""
    for part in (_treasury, _capacity, _exchange, _delivery):
        yield from part(books, artifacts)


def _treasury(books: Any, artifacts: Mapping[str, Artifact]) -> Iterable[Expected]:
    slot = artifacts["Treasury"].slots["_accounts"]
    for owner in {*books.cash, *books.epochs, *books.marks}:
        # contracts/types/Account.sol: cash 112 | epoch 24 | round 40 | used 80. Marks are known where all was seen.
        round_, used = books.marks.get(owner, (0, 0))
        word = books.cash[owner] << 144 | books.epochs[owner] << 120 | round_ << 80 | used
        mask = (1 << 256) - (1 if owner in books.marks else 1 << 120)
        yield Expected("INV-1", "Treasury", f"account of {owner}", mapped(slot, owner), word & mask, mask)


def _capacity(books: Any, artifacts: Mapping[str, Artifact]) -> Iterable[Expected]:
    slots = artifacts["Capacity"].slots
    for (product, owner), units in books.units.items():
        where = f"units of {owner} of {product:#x}"
        yield Expected("INV-16", "Capacity", where, mapped(slots["_balances"], product, owner), units)
    for product, units in books.supply.items():
        yield Expected("INV-2", "Capacity", f"supply of {product:#x}", mapped(slots["_totalSupply"], product), units)
    words: dict[tuple[int, int], int] = {}
    for (site, hour), units in books.calendar.items():
        # contracts/libraries/HourLanes.sol: eight hours a word.
        key = site, hour // 8
        words[key] = words.get(key, 0) + (units << hour % 8 * 32)
    for (site, word), value in words.items():
        where = f"hours {word * 8} to {word * 8 + 7} of site {site}"
        yield Expected("INV-3", "Capacity", where, mapped(slots["_calendar"], site, word), value)


def _exchange(books: Any, artifacts: Mapping[str, Artifact]) -> Iterable[Expected]:
    slots = artifacts["Exchange"].slots
    for product, first_round in books.first_rounds.items():
        # contracts/types/Book.sol: firstRound 40 | orders 32 | tickSize 32 | minUnits 32 | escrow 112.
        word = first_round << 208 | books.slot_counts[product] << 176 | books.tick_sizes_micro[product] << 144
        word |= books.least_units[product] << 112 | books.escrow[product]
        yield Expected("INV-5", "Exchange", f"book of {product:#x}", mapped(slots["_books"], product), word)
    for key, word in books.words.items():
        yield Expected("INV-10", "Exchange", f"order {_named(key)}", mapped(slots["_orders"], key), word)
    for key, word in books.settled_words.items():
        yield Expected("INV-10", "Exchange", f"settled bits {_named(key)}", mapped(slots["_settled"], key), word)
    for key, one in books.clearings.items():
        # CallAuction.RoundBook: the clearing is its second word, its fields from low to high.
        place = after(mapped(slots["_rounds"], key), 1)
        yield Expected("INV-6", "Exchange", f"clearing {_named(key)}", place, _clearing_word(one))
    for (product, owner), units in books.held.items():
        where = f"held of {product:#x} for {owner}"
        yield Expected("INV-11", "Exchange", where, mapped(slots["_held"], product, owner), units)


def _delivery(books: Any, artifacts: Mapping[str, Artifact]) -> Iterable[Expected]:
    slots = artifacts["Delivery"].slots
    for place, owed in books.owed.items():
        word = owed.bond_micro << 64 | owed.units
        yield Expected("INV-8", "Delivery", f"obligation {place}", mapped(slots["_obligations"], *place), word)
    for number, lease in books.leases.items():
        yield from _lease(number, lease, mapped(slots["_leases"], number))
    for number, site in books.sites.items():
        word = site.failed << 128 | site.delivered
        yield Expected("INV-15", "Delivery", f"record of site {number}", mapped(slots["_records"], number), word)


def _named(key: int) -> str:
    return f"{key >> 88} of {key & (1 << 88) - 1:#x}"


def _clearing_word(one: Any) -> int:
    word = 1
    if one.units:
        fields = (
            (one.price_tick, 8),
            (one.bid.tick, 24),
            (one.ask.tick, 40),
            (one.bid.filled_units, 56),
            (one.bid.standing_units, 88),
            (one.ask.filled_units, 120),
            (one.ask.standing_units, 152),
            (one.units, 184),
        )
        word |= sum(value << shift for value, shift in fields)
    return word


_STATES = ("NONE", "OPEN", "REPORTED", "DISPUTED", "RESOLVED")


def _lease(number: int, lease: Any, key: bytes) -> Iterable[Expected]:
    """IDelivery.Lease, three words, fields from low to high."""
    state = "DISPUTED" if lease.disputed_at_s else "REPORTED" if lease.at_s else "OPEN"
    if lease.reason is not None:
        state = "RESOLVED"
    first = int(lease.holder, 16) | lease.units << 160 | _STATES.index(state) << 192
    first |= lease.aborted << 200 | lease.at_s << 208
    second = lease.product.id | lease.site << 88 | lease.bond_micro << 120
    third = lease.reported_milli | lease.disputed_at_s << 64 | lease.deposit_micro << 104
    for place, word in enumerate((first, second, third)):
        yield Expected("INV-8", "Delivery", f"lease {number}, word {place}", after(key, place), word)


def prove(
    node: Node,
    deployment: Deployment,
    block: int,
    state_root: bytes,
    expected: Iterable[Expected],
    note: Callable[[Finding], None],
    watch: Callable[[int], None] = lambda _: None,
) -> int:
    """Proves every contract's code against the manifest, and every expected word, at `block`; what differs goes to
    `note`. Gives the number of words that were proven. Raises Unavailable when the node does not answer."""
    roots = prove_contracts(node, deployment, block, state_root, deployment.addresses, note)
    done = 0
    piles: dict[str, list[Expected]] = {}
    for one in expected:
        pile = piles.setdefault(one.contract, [])
        pile.append(one)
        if len(pile) == _SLOTS_AT_ONCE:
            done += _words(node, deployment, block, roots, pile, note)
            pile.clear()
            watch(done)
    for pile in piles.values():
        done += _words(node, deployment, block, roots, pile, note)
    watch(done)
    return done


def prove_contracts(
    node: Node,
    deployment: Deployment,
    block: int,
    state_root: bytes,
    names: Iterable[str],
    note: Callable[[Finding], None],
    gone: Callable[[int], None] | None = None,
) -> dict[str, bytes]:
    """Proves that contracts have the manifest's code at a block. Gives the storage roots of those that are there.

    Where the node keeps the block's state no longer, `gone` is told; without it that is a finding.
    """
    addresses = {name: deployment.address(name) for name in names}
    roots = {}
    for name, account in _accounts(node, addresses, block, state_root, note, gone).items():
        if not account:
            note(Finding("CODE", f"account of {name}", "an account", "nothing there", block))
            continue
        roots[name], digest = account[2], "0x" + account[3].hex()
        if digest != deployment.code_hashes.get(name):
            note(Finding("CODE", f"code of {name}", deployment.code_hashes.get(name), digest, block))
    return roots


def prove_code(
    node: Node,
    block: int,
    state_root: bytes,
    acts: Iterable[Unseen],
    note: Callable[[Finding], None],
    gone: Callable[[int], None] | None = None,
) -> None:
    """Whoever neither sent nor signed what they are said to have done must have code, at the block of the act, that
    did: an account without is a finding. Code that lived only within a transaction is gone at its block's end."""
    wanted = list(acts)
    accounts = _accounts(node, {one.owner: one.owner for one in wanted}, block, state_root, note, gone)
    for one in wanted:
        account = accounts.get(one.owner)
        if account is not None and (not account or account[3] == keccak(b"")):
            what = f"{'an order' if one.rule == 'INV-17' else 'cash'} of {one.owner}"
            actual = "neither sent nor signed by them, who have no code"
            note(Finding(one.rule, what, "moved by its owner's act", actual, block, one.transaction))


def _accounts(
    node: Node,
    addresses: Mapping[str, str],
    block: int,
    state_root: bytes,
    note: Callable[[Finding], None],
    gone: Callable[[int], None] | None = None,
) -> dict[str, list[bytes]]:
    """By name: the nonce, balance, storage root and code hash of each account, empty where it is proven that there is
    none. What cannot be proven is a finding, and left out."""
    try:
        answers = node.batch([("eth_getProof", (address, [], hex(block))) for address in addresses.values()])
    except NodeRefused as error:
        if gone is not None:
            gone(block)
        else:
            note(Finding("PROOF", "accounts", "proofs of them", error.problem, block))
        return {}
    found = {}
    for (name, address), answer in zip(addresses.items(), answers, strict=True):
        try:
            nodes = [bytes.fromhex(one[2:]) for one in answer["accountProof"]]
            held = proven(state_root, bytes.fromhex(address[2:]), nodes)
            account = rlp_read(held) if held is not None else []
        except (BadProof, *Nonsense) as error:
            note(Finding("PROOF", f"account of {name}", "a proof under the header's state root", str(error), block))
            continue
        found[name] = account if len(account) == 4 else []
    return found


def _words(
    node: Node,
    deployment: Deployment,
    block: int,
    roots: Mapping[str, bytes],
    pile: Sequence[Expected],
    note: Callable[[Finding], None],
) -> int:
    """How many of these words of one contract were proven."""
    if not pile or pile[0].contract not in roots:
        return 0
    contract = pile[0].contract
    keys = ["0x" + one.key.hex() for one in pile]
    try:
        found = node.request("eth_getProof", deployment.address(contract), keys, hex(block))["storageProof"]
        if len(found) != len(pile):
            raise BadProof(f"{len(found)} proofs, and {len(pile)} were asked for")
    except (BadProof, *Nonsense) as error:
        note(Finding("PROOF", f"storage of {contract}", "proofs of its words", str(error), block))
        return 0
    done = 0
    for one, answer in zip(pile, found, strict=True):
        try:
            word, said = _word(roots[contract], one.key, answer["proof"]), quantity(answer["value"])
        except (BadProof, *Nonsense) as error:
            note(Finding("PROOF", f"{contract}: {one.where}", "a proof under its storage root", str(error), block))
            continue
        done += 1
        if word & one.mask != one.word:
            note(Finding(one.rule, f"storage of {contract}: {one.where}", hex(one.word), hex(word & one.mask), block))
        elif said != word:
            note(Finding("PROOF", f"{contract}: {one.where}, value said", hex(word), hex(said), block))
    return done


def _word(root: bytes, key: bytes, nodes: Sequence[str]) -> int:
    held = proven(root, key, [bytes.fromhex(one[2:]) for one in nodes])
    if held is None:
        return 0
    # A word is the RLP of its bytes: one below 128 is its own. anvil keeps zeros in its trie, others have nothing.
    return int.from_bytes(held if held[0] < 0x80 else held[1:])
