"""Actions: what they would do is said before, many stand in one block, and what came of them is read from receipts."""

import pytest

from ledger import (
    Action,
    Costs,
    NodeRefused,
    Outcome,
    Preview,
    Secret,
    create_keystore,
    errors,
    open_keystore,
    send_together,
)
from tests.world import World


def faucet(world: World, amount_micro: int = 1) -> Action[None]:
    return world.market.mint_test_dollars(world.seller.address, amount_micro)


def test_many_at_once_stand_in_one_block_in_their_order(world: World) -> None:
    signers = [world.buyer, world.seller, world.buyer, world.provider, world.buyer]
    before = world.market.wallet_micro(world.seller.address)
    outcomes = send_together([(faucet(world, 10**place), signer) for place, signer in enumerate(signers)])
    assert len({outcome.receipt.block for outcome in outcomes}) == 1
    assert sorted(outcome.receipt.index for outcome in outcomes) == list(range(5))
    mine = [outcome.receipt.index for outcome, signer in zip(outcomes, signers, strict=True) if signer is world.buyer]
    assert mine == sorted(mine)
    assert world.market.wallet_micro(world.seller.address) == before + 11_111
    assert send_together([]) == []


def test_each_of_many_sees_those_before_it(world: World) -> None:
    """A deposit that only the approval before it in the same block makes possible."""
    amount_micro = 3
    world.market.approve(0).send(world.seller)
    cash_micro = world.market.cash_micro(world.seller.address)
    send_together(
        [(world.market.approve(amount_micro), world.seller), (world.market.deposit(amount_micro), world.seller)]
    )
    assert world.market.cash_micro(world.seller.address) == cash_micro + amount_micro


def test_refusal_among_many_leaves_those_before_it_and_the_clock_as_it_was(world: World) -> None:
    before = world.market.wallet_micro(world.seller.address)
    bad = world.market.withdraw(2**80, world.buyer.address)
    with pytest.raises(errors.Treasury_InsufficientCash):
        send_together([(faucet(world, 5), world.seller), (bad, world.buyer), (faucet(world, 9), world.seller)])
    assert world.market.wallet_micro(world.seller.address) == before + 5
    faucet(world, 1).send(world.seller)
    assert world.market.wallet_micro(world.seller.address) == before + 6


def test_costs_add_up() -> None:
    assert Costs(1, 20, 300, 4_000).total_micro == 4_321


def test_preview_of_what_would_be_refused_has_a_reason_and_no_gas(world: World) -> None:
    preview: Preview = world.market.deposit(0).preview(world.buyer.address)
    assert isinstance(preview.refusal, errors.Treasury_ZeroAmount)
    assert (preview.gas, preview.fee_wei, preview.result) == (None, None, None)
    good = faucet(world).preview(world.buyer.address)
    assert good.refusal is None
    assert good.gas is not None
    assert good.fee_wei is not None
    assert good.fee_wei >= good.gas


def test_outcome_is_read_from_a_receipt_that_others_sent(world: World) -> None:
    action = world.market.register_site("H100 SXM5 80GB", 1, 1, 257)
    receipt = world.market.sender.send(action.call, world.provider)
    assert action.outcome(receipt) == Outcome(world.market.site_count(), receipt)


def test_keystore_signer_sends_like_any_other(tester_world: World, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("keys") / "key.json"
    made = create_keystore(path, Secret("x"))
    with pytest.raises(NodeRefused):
        faucet(tester_world).send(open_keystore(path, Secret("x")))
    assert tester_world.chain.nonce(made.address) == 0
