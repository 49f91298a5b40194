"""A chain: read it, send to it, and on a local one set its clock.

Everything a node says becomes the ledger's own values and errors here: web3's stop at this border.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from eth_typing import HexAddress, HexStr

from ledger.abi import Call, Event, Interface, Log
from ledger.artifacts import Artifact, Deployment, load_artifacts
from ledger.clock import AnvilClock, LocalClock
from ledger.endpoints import HEAD_LAG_MAX_BLOCKS, Endpoints, Health
from ledger.errors import LedgerError, NodeRefused, WrongChain
from ledger.reverts import Reverts
from ledger.rpc import Block, Receipt, bytes_of, message_of, number_of, read_block, read_log, read_receipt, tag_of
from ledger.settings import urls_of

if TYPE_CHECKING:
    from ledger.inprocess import InProcessNode

TRANSACTION_GAS_MAX = 2**24
"""What one transaction may burn (EIP-7825)."""

BLOCK_GAS = 4 * TRANSACTION_GAS_MAX
"""What a block of a chain in this process holds."""

# Nodes refuse larger batches; anvil takes 2 MB.
_BATCH_MAX = 200


@dataclass(frozen=True, slots=True)
class Quote:
    """What it takes to send a call: what it would return, the sender's next number, fees per unit of gas, and the gas
    it would burn (None where the call names its own limit, or the chain gives no estimates)."""

    result: Any
    nonce: int
    tip_wei: int
    base_fee_wei: int
    gas: int | None


class Chain:
    """One chain, by one or several nodes. Build it with `connect` or `in_process_chain`."""

    def __init__(self, node: "Endpoints | InProcessNode") -> None:
        self._node = node
        self._artifacts = load_artifacts()
        self._interfaces = {name: Interface(name, artifact.abi) for name, artifact in self._artifacts.items()}
        self.reverts = Reverts(artifact.abi for artifact in self._artifacts.values())
        """Reads the revert data of our contracts."""
        self.chain_id = number_of(self.request("eth_chainId"))
        self.clock: LocalClock | None = self._local_clock()
        """None on a chain whose clock is not ours."""

    @property
    def in_process(self) -> bool:
        """Whether the chain is eth-tester, which has no estimates and no waiting."""
        return not isinstance(self._node, Endpoints)

    def _local_clock(self) -> LocalClock | None:
        if not isinstance(self._node, Endpoints):
            return self._node.clock
        return AnvilClock(self.request) if "anvil" in str(self.request("web3_clientVersion")).lower() else None

    # ---- the node

    def request(self, method: str, *params: Any) -> Any:
        """One JSON-RPC request, its result as the node gives it. Raises Reverted, NodeRefused or Unreachable."""
        [result] = self.batch([(method, params)])
        return result

    def health(self) -> list[Health]:
        """How each node does, for metrics; nothing to tell of a chain in this process."""
        return self._node.health() if isinstance(self._node, Endpoints) else []

    def batch(self, wanted: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        """Many requests, each a method and its parameters, in few round trips; their results in the same order.

        Raises what `request` raises, for the first that failed.
        """
        results = self.outcomes(wanted)
        for result in results:
            if isinstance(result, LedgerError):
                raise result
        return results

    def outcomes(self, wanted: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        """As `batch`, but a request that the node refused is an error among the results. Raises Unreachable."""
        if not isinstance(self._node, Endpoints):
            return [self._node.ask(method, params, self.reverts) for method, params in wanted]
        results: list[Any] = []
        for start in range(0, len(wanted), _BATCH_MAX):
            results += map(self._result, self._node.ask(wanted[start : start + _BATCH_MAX]))
        return results

    def _result(self, response: Mapping[str, Any]) -> Any:
        return self.reverts.of_node_error(response["error"]) if response.get("error") else response.get("result")

    # ---- reads

    def call(self, call: Call, sender: str | None = None, block: int | str = "latest") -> Any:
        """What `call` returns, without sending it. Raises Reverted, NodeRefused or Unreachable."""
        return call.result(bytes_of(self.request("eth_call", message_of(call, sender), tag_of(block))))

    def call_many(self, calls: Sequence[Call], block: int | str = "latest") -> list[Any]:
        """What each of `calls` returns. Raises as `call` does, for the first that failed."""
        results = self.batch([("eth_call", (message_of(call, None), tag_of(block))) for call in calls])
        return [call.result(bytes_of(result)) for call, result in zip(calls, results, strict=True)]

    def block(self, number: int | str = "latest") -> Block:
        """A block by number or name (`latest`, `finalized` …). Raises NodeRefused where there is none."""
        header = self.request("eth_getBlockByNumber", tag_of(number), False)
        if header is None:
            raise NodeRefused(f"it has no block {number}")
        return read_block(header)

    def time_s(self) -> int:
        """The time of the latest block, in seconds since the epoch."""
        return self.block().time_s

    def code(self, address: str) -> bytes:
        """The runtime code there; empty where there is no contract."""
        return bytes_of(self.request("eth_getCode", address, "latest"))

    def gas_money_wei(self, address: str) -> int:
        """What the account has to pay gas with."""
        return number_of(self.request("eth_getBalance", address, "latest"))

    def logs(
        self,
        addresses: Sequence[str],
        from_block: int,
        to_block: int | str = "latest",
        topics: Sequence[bytes | None] = (),
    ) -> list[Log]:
        """The logs of these contracts in these blocks, both ends included, in the order of the chain."""
        wanted = {
            "address": list(addresses),
            "fromBlock": tag_of(from_block),
            "toBlock": tag_of(to_block),
            "topics": [None if topic is None else "0x" + topic.hex() for topic in topics],
        }
        found = [read_log(entry) for entry in self.request("eth_getLogs", wanted)]
        # Within a block the node's own order stands: eth-tester counts the logs of each transaction anew.
        return sorted(found, key=lambda log: log.block)

    # ---- transactions

    def nonce(self, address: str) -> int:
        """How many transactions the account has sent, those that wait included."""
        return number_of(self.request("eth_getTransactionCount", address, "pending"))

    def quote(self, call: Call, sender: str) -> Quote:
        """What it takes to send `call` into the block that is being made, in one round trip.

        Raises Reverted for a call that would fail.
        """
        message = message_of(call, sender)
        wanted: list[tuple[str, Sequence[Any]]] = [
            ("eth_call", (message, "pending")),
            ("eth_getTransactionCount", (sender, "pending")),
            ("eth_maxPriorityFeePerGas", ()),
            ("eth_getBlockByNumber", ("latest", False)),
        ]
        if call.gas is None and not self.in_process:
            wanted.append(("eth_estimateGas", (message, "pending")))
        result, nonce, tip, header, *estimate = self.batch(wanted)
        return Quote(
            result=call.result(bytes_of(result)),
            nonce=number_of(nonce),
            tip_wei=number_of(tip),
            base_fee_wei=read_block(header).base_fee_wei,
            gas=number_of(estimate[0]) if estimate else None,
        )

    def send_raw(self, raw: bytes) -> None:
        """Hands a signed transaction to the node. Raises NodeRefused."""
        if not isinstance(self._node, Endpoints):
            with self._node.mapped(self.reverts):
                self._node.clock.apply(raw)
        else:
            self.request("eth_sendRawTransaction", "0x" + raw.hex())

    def receipt(self, transaction: str) -> Receipt | None:
        """What became of a transaction; None while it is in no block."""
        try:
            found = self.request("eth_getTransactionReceipt", transaction)
        except NodeRefused:
            return None
        if found is None or found.get("blockNumber") is None:
            return None
        return read_receipt(found)

    # ---- contracts

    def artifact(self, contract: str) -> Artifact:
        """The compiled contract of that name."""
        return self._artifacts[contract]

    def interface(self, contract: str) -> Interface:
        """The functions and events of the contract of that name."""
        return self._interfaces[contract]


class Contracts:
    """The contracts of one market on one chain, by name."""

    def __init__(self, chain: Chain, deployment: Deployment) -> None:
        """Raises WrongChain where the node serves another chain than the deployment's."""
        if chain.chain_id != deployment.chain_id:
            raise WrongChain(deployment.chain_id, chain.chain_id)
        self.chain = chain
        self.deployment = deployment
        self._names = {
            address: "TestDollar" if name == "Token" else name for name, address in deployment.addresses.items()
        }

    def check(self) -> None:
        """Raises BadDeployment unless every contract's code is what the manifest says."""
        codes = self.chain.batch([("eth_getCode", (one, "latest")) for one in self.deployment.addresses.values()])
        for name, code in zip(self.deployment.addresses, codes, strict=True):
            self.deployment.check_code(name, bytes_of(code))

    def address(self, contract: str) -> str:
        """Where a contract of this market stands."""
        return self.deployment.address(contract)

    def call(self, contract: str, function: str, *args: Any, gas: int | None = None) -> Call:
        """A call of a function of one of the market's contracts. Raises InputError for arguments that do not fit."""
        interface = self.chain.interface("TestDollar" if contract == "Token" else contract)
        return interface.call(self.address(contract), function, *args, gas=gas)

    def read(self, contract: str, function: str, *args: Any, block: int | str = "latest") -> Any:
        """What a function returns: a value, a tuple of several, a struct as a mapping. Raises Reverted."""
        return self.chain.call(self.call(contract, function, *args), block=block)

    def events(self, logs: Sequence[Log]) -> list[Event]:
        """What those of `logs` say that come from this market, in their order."""
        found = (
            self.chain.interface(self._names[log.address]).event(log) for log in logs if log.address in self._names
        )
        return [event for event in found if event is not None]

    def event(self, receipt: Receipt, name: str) -> Event:
        """The first event of that name in a transaction of this market. Raises NodeRefused where it has none."""
        for event in self.events(receipt.logs):
            if event.name == name:
                return event
        raise NodeRefused(f"transaction {receipt.transaction} has no event {name}")

    def said(self, event: str, value: str) -> Callable[[Receipt], Any]:
        """Reads one value of one event out of a receipt."""
        return lambda receipt: self.event(receipt, event)[value]

    def history(self, from_block: int | None = None, to_block: int | str = "latest") -> list[Event]:
        """Everything the market's contracts have said, from their deployment on unless told otherwise."""
        start = self.deployment.block if from_block is None else from_block
        return self.events(self.chain.logs(list(self._names), start, to_block))


def connect(
    url: str, chain_id: int | None = None, timeout_s: int = 20, head_lag_max_blocks: int = HEAD_LAG_MAX_BLOCKS
) -> Chain:
    """The chain that the node at `url` serves; or several nodes, with commas or spaces between their addresses.

    Of several, one is read that is not more than `head_lag_max_blocks` behind the best, and all are told of
    transactions. Raises Unreachable, and WrongChain if it is not `chain_id`. A node that is anvil is a local chain,
    with a clock to set.
    """
    return Chain(Endpoints(urls_of(url), timeout_s, chain_id, head_lag_max_blocks))


def in_process_chain(start_s: int | None = None, accounts: int = 10, gas_limit: int = BLOCK_GAS) -> Chain:
    """A chain in this process (eth-tester on py-evm): no node, and gone with the process.

    `start_s` is its first block's time (default: now); the accounts of DEVELOPMENT_MNEMONIC have gas money.
    """
    # It takes half a second to load, and few programs need it.
    from ledger.inprocess import InProcessNode  # noqa: PLC0415

    return Chain(InProcessNode(start_s, accounts, gas_limit))


def created_address(creator: str, nonce: int) -> str:
    """Where the contract will stand that `creator` makes with its transaction number `nonce`."""
    from web3.types import Nonce  # noqa: PLC0415 - as above
    from web3.utils.address import get_create_address  # noqa: PLC0415

    return str(get_create_address(HexAddress(HexStr(creator)), Nonce(nonce)))
