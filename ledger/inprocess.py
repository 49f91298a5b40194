"""A node in this process: eth-tester on py-evm. No other program is needed, and nothing is left of it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from eth_tester import EthereumTester, PyEVMBackend  # type: ignore[import-untyped]
from eth_tester.exceptions import TransactionFailed, TransactionNotFound  # type: ignore[import-untyped]
from eth_tester.exceptions import ValidationError as TesterValidationError
from eth_utils.exceptions import ValidationError
from web3 import EthereumTesterProvider, Web3
from web3.exceptions import Web3Exception, Web3RPCError
from web3.types import RPCEndpoint

from ledger.clock import InProcessClock
from ledger.errors import NodeRefused, Reverted
from ledger.node import DEVELOPMENT_MNEMONIC
from ledger.reverts import Reverts

_PATH = "m/44'/60'/0'/0"


class InProcessNode:
    """`start_s` is the first block's time (None: now); the accounts of DEVELOPMENT_MNEMONIC have gas money."""

    def __init__(self, start_s: int | None, accounts: int, gas_limit: int) -> None:
        overrides = {"gas_limit": gas_limit} | ({} if start_s is None else {"timestamp": start_s})
        backend = PyEVMBackend.from_mnemonic(
            DEVELOPMENT_MNEMONIC,
            hd_path=_PATH,
            num_accounts=accounts,
            genesis_parameters=PyEVMBackend.generate_genesis_params(overrides),
        )
        tester = EthereumTester(backend)
        self._web3 = Web3(EthereumTesterProvider(tester), middleware=[])
        self.clock = InProcessClock(tester)

    def ask(self, method: str, params: Sequence[Any], reverts: Reverts) -> Any:
        """What it answers; what it refuses is an error, given and not raised."""
        try:
            with self.mapped(reverts):
                return self._web3.manager.request_blocking(RPCEndpoint(method), list(params))
        except (NodeRefused, Reverted) as error:
            return error

    @contextmanager
    def mapped(self, reverts: Reverts) -> Iterator[None]:
        """Turns what eth-tester and web3 raise into Reverted and NodeRefused."""
        try:
            yield
        except TransactionFailed as error:
            raise reverts.of_tester_error(str(error)) from None
        except TransactionNotFound:
            raise NodeRefused("it knows no such transaction") from None
        except (TesterValidationError, ValidationError) as error:
            raise reverts.of_node_error({"message": str(error)}) from None
        except Web3RPCError as error:
            response: Any = error.rpc_response or {}
            raise reverts.of_node_error(response.get("error") or {"message": str(error)}) from None
        except (Web3Exception, ValueError, TypeError, AttributeError) as error:
            raise NodeRefused(f"its answer makes no sense ({error})") from None
