"""Everything that can go wrong, as one tree.

LedgerError                 what went wrong, and what to do next
├── InputError              the caller's fault: ask for something else
│   ├── UnreadableText      a text does not say what was expected there ("8x H100, 24h")
│   ├── OutOfRange          a number lies outside its limits
│   ├── UnknownName         a device, class, tier, area … nobody has heard of; near matches are offered
│   ├── BadData             a data file is missing or does not have the columns or rows it must have
│   ├── BadDeployment       a deployment manifest that cannot be read, or that the chain contradicts
│   ├── BadSetting          an environment variable does not say what it must
│   ├── BadKey              a key file cannot be read or opened; says nothing of what is in it
│   └── WrongChain          the node serves another chain than the one that was meant
├── Reverted                the chain said no: one class per custom error of a contract
└── Unavailable             nobody's fault: try again later
    ├── Unreachable         a node does not answer
    ├── NodeRefused         a node did not take a call or a transaction, for a reason of its own
    └── NotIncluded         a transaction was sent and is in no block yet

Each error is two sentences: the problem, with the values that matter, and the remedy.

The classes of the contracts' errors are made from one table and bear their Solidity names:
`except errors.Exchange_TradingClosed`. They stand below Reverted.
"""

from collections.abc import Mapping, Sequence


class LedgerError(Exception):
    """Base of every failure this package raises on purpose."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(problem, remedy)
        self.problem = problem
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.problem} {self.remedy}"


class InputError(LedgerError, ValueError):
    """The caller asked for something that cannot be: the same call will fail again."""


class UnreadableText(InputError):
    """`text` is not a `noun` (an amount, a price, a date …); `example` is one that would be."""

    def __init__(self, noun: str, text: str, why: str, example: str) -> None:
        super().__init__(f"Cannot read {text!r} as {noun}: {why}.", f"Write it like {example!r}.")
        self.noun = noun
        self.text = text
        self.why = why
        self.example = example


class OutOfRange(InputError):
    """`value` of `name` is not within `least` … `most`, both included."""

    def __init__(self, name: str, value: int, least: int, most: int) -> None:
        super().__init__(f"{name} is {value}.", f"Choose one from {least} to {most}.")
        self.name = name
        self.value = value
        self.least = least
        self.most = most


class UnknownName(InputError):
    """No `noun` (device, class, area …) is called `text`; `suggestions` come nearest, best first."""

    def __init__(self, noun: str, text: str, suggestions: Sequence[str]) -> None:
        if suggestions:
            remedy = f"Did you mean {' or '.join(repr(name) for name in suggestions)}?"
        else:
            remedy = "See what there is with `compute-ledger standard`."
        super().__init__(f"There is no {noun} called {text!r}.", remedy)
        self.noun = noun
        self.text = text
        self.suggestions = tuple(suggestions)


class BadData(InputError):
    """The data file `name` cannot be used."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"The data file {name!r} cannot be used: {why}.", "Check the data folder that you named.")
        self.name = name
        self.why = why


class BadDeployment(InputError):
    """The deployment in the file or on the chain `name` is not one that can be used."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(
            f"The deployment {name} cannot be used: {why}.",
            "Name another manifest in COMPUTE_LEDGER_MANIFEST, or make one with `compute-ledger deploy`.",
        )
        self.name = name
        self.why = why


class BadSetting(InputError):
    """The setting `name` (an environment variable) has a value that cannot be; the value itself is not repeated, since
    it may be secret."""

    def __init__(self, name: str, why: str, remedy: str) -> None:
        super().__init__(f"{name} cannot be used: {why}.", remedy)
        self.name = name
        self.why = why


class BadKey(InputError):
    """The key file `path` gives no key."""

    def __init__(self, path: str, why: str, remedy: str) -> None:
        super().__init__(f"There is no usable key in {path}: {why}.", remedy)
        self.path = path
        self.why = why


class WrongChain(InputError):
    """The node is on chain `actual`, while chain `expected` was meant."""

    def __init__(self, expected: int, actual: int) -> None:
        super().__init__(
            f"The node serves chain {actual}, but chain {expected} is meant.",
            "Check COMPUTE_LEDGER_RPC_URL, COMPUTE_LEDGER_CHAIN_ID and the deployment manifest.",
        )
        self.expected = expected
        self.actual = actual


class Reverted(LedgerError):
    """A contract refused a call.

    `contract` and `name` say which error (`Exchange`, `TickOutOfRange`), `values` its arguments by name, as decoded;
    `shown` gives them in human units.
    """

    def __init__(
        self,
        contract: str,
        name: str,
        values: Mapping[str, object],
        remedy: str,
        shown: Mapping[str, str] | None = None,
    ) -> None:
        texts = {key: str(value) for key, value in values.items()} | dict(shown or {})
        named = ", ".join(f"{key}={text}" for key, text in texts.items())
        super().__init__(f"{contract} refused: {name}({named}).", remedy)
        self.contract = contract
        self.name = name
        self.values = dict(values)
        self.shown = texts


class Unavailable(LedgerError):
    """Something outside did not answer: the same call may well succeed later."""


class Unreachable(Unavailable):
    """The node at `host` does not answer."""

    def __init__(self, host: str, why: str) -> None:
        super().__init__(
            f"The node at {host} does not answer: {why}.", "Is it running? COMPUTE_LEDGER_RPC_URL names it."
        )
        self.host = host
        self.why = why


class NodeRefused(Unavailable):
    """The node did not take a call or a transaction; `why` is what it said."""

    def __init__(self, why: str, remedy: str = "Try again; if it stays so, ask whoever runs the node.") -> None:
        super().__init__(f"The node refused: {why}.", remedy)
        self.why = why


class NotIncluded(Unavailable):
    """The transaction `transaction` was sent and is in no block after `waited_s` seconds."""

    def __init__(self, transaction: str, waited_s: int) -> None:
        super().__init__(
            f"Transaction {transaction} is in no block after {waited_s} s.",
            "It may still come: look it up by its hash before you send it again.",
        )
        self.transaction = transaction
        self.waited_s = waited_s


# ---- what the contracts say

# What to do next, for every custom error of every contract; names in braces are the error's own values.
_REMEDIES: dict[str, str] = {
    # Standard
    "Standard_IncompleteTerms": "Give class {class} a number, a name, a tick size, a least order and a bond price.",
    "Standard_UnknownClass": "Use a class of the standard: `compute-ledger standard` lists them.",
    "Standard_UnknownBasis": "The basis of a rating is 1 (MEASURED) or 2 (DATASHEET).",
    "Standard_ZeroRating": "Rate the device at more than zero, or leave it unrated.",
    "Standard_UnknownVersion": "Ask for a version from 1 to {latest}.",
    "Standard_AreaZero": "Area 0 stands for anywhere: choose another code.",
    "Standard_AreaTaken": "Areas are named once: choose a code other than {area}.",
    "Standard_NotAHub": "Name hub {area} first, or put the metro in a hub that exists.",
    "Standard_MalformedProduct": "Build it from its parts: class, tier, area, grade, start and 1 to 168 hours.",
    "Standard_WrongArea": "Tier METRO wants a metro, HUB a hub, WIDE none: `compute-ledger areas` lists them.",
    # Capacity
    "Capacity_OnlyMarket": "Only the market's own contracts call this: use bid, ask, offer, mint or redeem.",
    "Capacity_IssuePaused": "New issues are paused by the guardian; what exists still settles, redeems and pays out.",
    "Capacity_NoDevices": "Register at least one device.",
    "Capacity_UnratedDevice": "Choose a device that the standard rates in class {class}: `compute-ledger standard`.",
    "Capacity_NotAMetro": "Name a metro, not a hub or an unknown area: `compute-ledger areas` lists them.",
    "Capacity_UnknownSite": "Register the site first; sites are numbered from 1.",
    "Capacity_NotProvider": "Act as {provider}, the provider of site {site}.",
    "Capacity_UnknownGrade": "A grade is 1 (BASIC), 2 (STANDARD) or 3 (PREMIUM).",
    "Capacity_AboveRating": "Attest at most {unitsMax}: the standard gives no more for the devices of site {site}.",
    "Capacity_AttestationInPast": "Let the attestation end after {now_s}.",
    "Capacity_ZeroUnits": "Name at least one unit.",
    "Capacity_WrongClass": "Site {site} offers class {siteClass}: choose a product of that class.",
    "Capacity_WrongArea": "In that tier site {site} stands in area {siteArea}: choose a product of that area.",
    "Capacity_GradeTooHigh": "Site {site} may promise grade {gradeMax} at most, by its attestation and its record.",
    "Capacity_WindowStarted": "Choose a window that begins later than {now_s}.",
    "Capacity_AttestationTooShort": "Have site {site} attested until {end_s} at least, or choose an earlier window.",
    "Capacity_InsufficientCapacity": "Issue at most {available} there, or choose hours in which site {site} is free.",
    "Capacity_NotAWindow": "Only a window of 2 to 168 hours has hours to split into or merge from.",
    "Capacity_HoursOutOfRange": "Name a window of 1 to {hoursMax} hours.",
    "Capacity_NotRelaxed": "Relax to a looser tier: METRO to HUB or WIDE, HUB to WIDE.",
    # Treasury
    "Treasury_ZeroAmount": "Name an amount above zero.",
    "Treasury_ZeroAddress": "Name an account that the money should go to.",
    "Treasury_ToItself": "Name an account of yours: what Treasury sends to itself is nobody's.",
    "Treasury_OnlyMarket": "Only the market's own contracts call this: use deposit and withdraw.",
    "Treasury_WrongAmountReceived": "The market needs a token that delivers whole amounts: no fees, no rebasing.",
    "Treasury_InsufficientCash": "Deposit or approve more: {needed} is needed, {cash} is in reach.",
    "Treasury_CashOverflow": "Withdraw some first: an account holds at most 2^112 - 1 micro.",
    "Treasury_WrongEpoch": "Sign the order again with epoch {current}: orders of epoch {epoch} were revoked.",
    "Treasury_IndexOutOfRange": "Number the signed orders of a round from 0 to 79.",
    "Treasury_IndexUsed": "That order was placed already; sign a new one with an index not used in round {round}.",
    "Treasury_EpochsExhausted": "Use a new account: this one has revoked too often.",
    # Exchange
    "Exchange_OrdersPaused": "New orders are paused by the guardian; orders that stand still clear and settle.",
    "Exchange_TickOutOfRange": "Choose a tick from 1 to {tickMax}, or another price.",
    "Exchange_TooFewUnits": "Order at least {unitsMin}.",
    "Exchange_TooManyUnits": "Order at most {unitsMax}; split it into several orders.",
    "Exchange_TradingClosed": "Choose a product whose delivery begins after {ready_s}.",
    "Exchange_TradingNotOpen": "Delivery is too far away to trade yet: choose a product that begins earlier.",
    "Exchange_TickFull": "Choose another tick, fewer units, or the next round.",
    "Exchange_UnknownKind": "An order is 1 (bid), 2 (ask) or 3 (offer).",
    "Exchange_WrongRound": "A signed order is good for its round only: sign it again for round {current}.",
    "Exchange_BadSignature": "Sign it with the key of {owner}, for this chain and this exchange.",
    "Exchange_OnlyStandard": "Only the market's Standard sets the terms of a class.",
    "Exchange_OnlySelf": "Relay signed orders with place_signed.",
    "Exchange_RoundNotEnded": "Clear the round after {end_s}.",
    "Exchange_RoundEmpty": "Nobody placed an order in round {round}: there is nothing to clear.",
    "Exchange_AlreadyCleared": "Settle its orders: round {round} has its price.",
    "Exchange_RoundVoid": "Delivery began before anybody cleared it: settle its orders, and everything comes back.",
    "Exchange_NotCleared": "Clear round {round} first.",
    "Exchange_NothingToSettle": "Its orders are settled already, or were placed in another round.",
    "Exchange_GasTooLow": "Give the transaction at least {gasNeeded} gas more.",
    "Exchange_NothingHeld": "Nothing is held for {owner}: its units are in its wallet.",
    # Delivery
    "Delivery_OnlyMarket": "Only the market's own contracts call this.",
    "Delivery_TermsOutOfRange": "Shares are at most {bpMax}.",
    "Delivery_InsufficientObligation": "Site {site} owes {owed} of this product: take fewer, or another site.",
    "Delivery_OffersUnsettled": "Settle round {round} of this product first; anyone may do it.",
    "Delivery_ZeroUnits": "Name at least one unit.",
    "Delivery_WindowStarted": "The window began at {start_s}: split a window earlier, and redeem its later hours.",
    "Delivery_WindowNotStarted": "Report after {start_s}, when the window begins.",
    "Delivery_WindowEnded": "The window ended at {end_s}: report what was delivered instead.",
    "Delivery_UnknownLease": "Leases are numbered from 1; redeem makes one.",
    "Delivery_NotProvider": "Act as {provider}, whose site lease {lease} is at.",
    "Delivery_NotHolder": "Act as {holder}, the holder of lease {lease}.",
    "Delivery_WrongState": "Lease {lease} is {state}; this needs one that is {wanted}.",
    "Delivery_AboveLease": "Claim at most {mostMilli}.",
    "Delivery_DeadlinePassed": "The deadline was {deadline_s}: resolve the lease now; anyone may.",
    "Delivery_TooEarly": "Try again after {from_s}.",
    "Delivery_NothingToExpire": "Site {site} owes nothing of this product any more.",
    # The tokens, by OpenZeppelin
    "ERC20InsufficientAllowance": "Approve {spender} for {needed}.",
    "ERC20InsufficientBalance": "{sender} holds {balance}; {needed} is needed.",
    "ERC20InvalidApprover": "The zero address approves nobody.",
    "ERC20InvalidReceiver": "Send the money to an account that exists.",
    "ERC20InvalidSender": "The zero address sends nothing.",
    "ERC20InvalidSpender": "The zero address cannot be approved.",
    "ERC2612ExpiredSignature": "Sign the permit again with a later deadline.",
    "ERC2612InvalidSigner": "Sign the permit with the key of {owner}.",
    "ERC1155InsufficientBalance": "{sender} holds {balance} of this product; {needed} is needed.",
    "ERC1155InvalidApprover": "The zero address approves nobody.",
    "ERC1155InvalidArrayLength": "Name as many amounts as products.",
    "ERC1155InvalidOperator": "The zero address cannot be approved.",
    "ERC1155InvalidReceiver": "{receiver} takes no ERC-1155 tokens: choose another account.",
    "ERC1155InvalidSender": "The zero address sends nothing.",
    "ERC1155MissingApprovalForAll": "{owner} must approve {operator} first.",
    "SafeERC20FailedOperation": "The settlement token {token} refused: check balance, allowance and blocklists.",
    # Who may do what, by OpenZeppelin
    "AccessManagedInvalidAuthority": "The authority must be a contract.",
    "AccessManagedRequiredDelay": "Schedule the call with the access manager, and execute it after {delay} s.",
    "AccessManagedUnauthorized": "{caller} does not have the role for this; an admin of the market grants it.",
    "AccessManagerAlreadyScheduled": "Wait for the operation that is scheduled, or cancel it.",
    "AccessManagerBadConfirmation": "Renounce a role from the account that has it.",
    "AccessManagerExpired": "Schedule the operation again.",
    "AccessManagerInvalidInitialAdmin": "Name an admin other than the zero address.",
    "AccessManagerLockedFunction": "That function cannot be given to a role.",
    "AccessManagerLockedRole": "Role {roleId} is fixed.",
    "AccessManagerNotReady": "Wait until the operation's delay has passed.",
    "AccessManagerNotScheduled": "Schedule the operation first.",
    "AccessManagerUnauthorizedAccount": "{msgsender} needs role {roleId} for this.",
    "AccessManagerUnauthorizedCall": "{caller} does not have the role for this; an admin of the market grants it.",
    "AccessManagerUnauthorizedCancel": "Only who scheduled it, its guardian or an admin cancels it.",
    "AccessManagerUnauthorizedConsume": "Only the managed contract consumes its operations.",
    # The rest, by OpenZeppelin
    "AddressEmptyCode": "There is no contract at {target}.",
    "ECDSAInvalidSignature": "Sign it again: this is no signature.",
    "ECDSAInvalidSignatureLength": "A signature has 65 bytes, not {length}.",
    "ECDSAInvalidSignatureS": "Sign it again with the lower of the two possible values of s.",
    "FailedCall": "A contract that was called failed and gave no reason.",
    "InsufficientBalance": "{needed} is needed, {balance} is there.",
    "InvalidAccountNonce": "Sign it again with nonce {currentNonce}.",
    "InvalidShortString": "Use a shorter text.",
    "ReentrancyGuardReentrantCall": "Do not call the market from within one of its own calls.",
    "SafeCastOverflowedUintDowncast": "{value} is more than {bits} bits hold: use a smaller amount.",
    "StringTooLong": "Use a shorter text.",
    "StringsInsufficientHexLength": "{value} does not fit into {length} digits.",
    # No contract's own
    "Error": "Do as the contract says.",
    "Panic": "The contract hit a limit ({code}): use smaller amounts; if it stays so, report it as a bug.",
    "Unknown": "No contract of ours has this error: is the deployment of another version?",
}


CONTRACT_ERRORS: Mapping[str, type[Reverted]] = {
    name: type(name, (Reverted,), {"__doc__": remedy, "__module__": __name__}) for name, remedy in _REMEDIES.items()
}
"""The class of every custom error, by its Solidity name."""


def refusal(solidity_name: str, values: Mapping[str, object], shown: Mapping[str, str] | None = None) -> Reverted:
    """The contract error `Exchange_TickOutOfRange`, say, with its values by name and how they are shown."""
    contract, _, name = solidity_name.rpartition("_")
    nobodys = solidity_name in ("Error", "Panic", "Unknown")
    texts = {key: str(value) for key, value in values.items()} | dict(shown or {})
    remedy = _REMEDIES[solidity_name].format_map(texts)
    return CONTRACT_ERRORS[solidity_name](
        contract or ("A contract" if nobodys else "OpenZeppelin"), name, values, remedy, texts
    )


def __getattr__(name: str) -> type[Reverted]:
    if name in CONTRACT_ERRORS:
        return CONTRACT_ERRORS[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
