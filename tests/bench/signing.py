"""Building and signing a contract call, beside what web3.py and eth-account make of the same call."""

import time
from collections.abc import Callable, Iterator
from typing import Any, cast

from eth_account import Account
from web3 import Web3
from web3.types import TxParams

from ledger.abi import Interface
from ledger.artifacts import load_artifacts
from ledger.keys import signer_from_mnemonic
from ledger.node import DEVELOPMENT_MNEMONIC
from ledger.sending.envelope import UnsignedTransaction
from ledger.settings import Secret
from tests.bench.figures import Figure

TO = "0x5FbDB2315678afecb367f032d93F642f64180aa3"
PRODUCT = 0x0102_0500_0200_07D2_0000_0018
_SECONDS = 2.0


def figures() -> Iterator[Figure]:
    """Per second, one core: `bid(product, tick, units)` built from its arguments and signed."""
    abi = load_artifacts()["Exchange"].abi
    interface = Interface("Exchange", abi)
    signer = signer_from_mnemonic(Secret(DEVELOPMENT_MNEMONIC))
    account = Account.from_mnemonic(DEVELOPMENT_MNEMONIC)
    function = Web3().eth.contract(address=Web3.to_checksum_address(TO), abi=abi).functions.bid
    fees: dict[str, Any] = {"maxFeePerGas": 2 * 10**9, "maxPriorityFeePerGas": 10**9, "gas": 200_000, "chainId": 31_337}

    def ours(number: int) -> None:
        call = interface.call(TO, "bid", PRODUCT, 1 + number % 1_023, 100 + number)
        unsigned = UnsignedTransaction(signer.address, TO, call.data, 31_337, number, 200_000, 2 * 10**9, 10**9)
        signer.sign_transaction(unsigned.fields())

    def web3s(number: int) -> None:
        built = function(PRODUCT, 1 + number % 1_023, 100 + number).build_transaction(
            cast("TxParams", {**fees, "nonce": number, "value": 0})
        )
        account.sign_transaction(built)

    yardstick = _per_second(web3s)
    yield Figure("build and sign a call", _per_second(ours), "/s", 5_000, yardstick=yardstick, beside="web3.py")


def _per_second(work: Callable[[int], None]) -> float:
    for number in range(20):
        work(number)
    started, done = time.perf_counter(), 0
    while time.perf_counter() - started < _SECONDS:
        work(done)
        done += 1
    return done / (time.perf_counter() - started)
