"""How much memory the index and the audit take at most while the history grows: each in a process of its own.

The history is of transfers of units, hundreds in a transaction: what grows is its length, not the market's state. A
contract that makes them is compiled here, since nothing else says so many true events in so little time.

python -m tests.bench.memory index | audit URL MANIFEST
"""

import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import solcx

from ledger.abi import Call, Interface
from ledger.artifacts import SOLC_SETTINGS, load_deployment
from ledger.audit.run import run_audit
from ledger.chain import connect, created_address
from ledger.history.index import Index
from ledger.product import Product
from ledger.settings import Secret
from ledger.store.engine import open_store
from ledger.view import View
from tests.bench.figures import Figure
from tests.world import World, world_on

SIZES = 10_000, 100_000, 1_000_000
GROWTH_MAX = 1.25
"""How much more memory a history ten times as long may take, once it is long enough to fill all that is held at once
(which is at the second size): by our own standard, since flat was promised without a figure."""

_ROOT = Path(__file__).parents[2]
_A_CALL, _RECIPIENTS = 200, 64
_GAS = 5_000_000
_KIB_PER_MIB = 1_024

_SOURCE = """
interface Units { function safeTransferFrom(address, address, uint256, uint256, bytes calldata) external; }

contract Mover {
    function onERC1155Received(address, address, uint256, uint256, bytes calldata) external pure returns (bytes4) {
        return this.onERC1155Received.selector;
    }

    function move(Units units, uint256 id, uint256 first, uint256 count, uint256 recipients) external {
        for (uint256 i = first; i < first + count; i++) {
            units.safeTransferFrom(address(this), address(uint160(0x1000000 + i % recipients)), id, 1, "");
        }
    }
}
"""


def figures() -> Iterator[Figure]:
    """Peak resident memory in MiB of each process at each size of the history."""
    before: dict[str, float] = {}
    with world_on("anvil") as world, tempfile.TemporaryDirectory(prefix="compute-ledger-bench-") as folder:
        manifest = Path(folder, "deployment.json")
        world.market.deployment.write(manifest)
        mover, moved = _mover(world), 0
        for size in SIZES:
            _move(world, mover, range(moved, size))
            moved = size
            for who in ("index", "audit"):
                peak_mib, took_s = _measured(who, world.url, manifest)
                goal = GROWTH_MAX * before[who] if size > SIZES[1] else None
                before[who] = peak_mib
                yield Figure(
                    f"memory of the {who} at {size:,} events",
                    peak_mib,
                    "MiB",
                    goal,
                    smaller=True,
                    note=f"{size / took_s:,.0f} events/s of processor time",
                )


def _compiled() -> Mapping[str, Any]:
    wanted = {"language": "Solidity", "sources": {"Mover": {"content": _SOURCE}}, "settings": SOLC_SETTINGS}
    output = solcx.compile_standard(wanted, solc_binary=_ROOT / "scripts" / "solc", allow_empty=True)
    found: Mapping[str, Any] = output["contracts"]["Mover"]["Mover"]
    return found


def _mover(world: World) -> tuple[Interface, str, Product]:
    """The contract with units of a product, enough for all that is to come."""
    market, built = world.market, _compiled()
    code = bytes.fromhex(built["evm"]["bytecode"]["object"])
    address = created_address(world.stranger.address, world.chain.nonce(world.stranger.address))
    market.sender.send(Call("Mover", None, code), world.stranger)
    # The cheapest class of units: what they cost is not measured here.
    units, product = 2 * max(SIZES), world.product(1)
    market.mint_test_dollars(world.provider.address, 10**15).send(world.provider)
    market.fund(10**15, world.provider)
    site = world.site(units=units)
    market.mint(site, product, units).send(world.provider)
    market.transfer(product, units, world.provider.address, address).send(world.provider)
    return Interface("Mover", built["abi"]), address, product


def _move(world: World, mover: tuple[Interface, str, Product], places: range) -> None:
    interface, address, product = mover
    units = world.market.address("Capacity")
    calls = []
    for first in range(places.start, places.stop, _A_CALL):
        args = units, product.id, first, min(_A_CALL, places.stop - first), _RECIPIENTS
        made = interface.call(address, "move", *args)
        calls.append(Call(made.contract, made.to, made.data, gas=_GAS))
    for call in calls:
        # One a block, as wide as blocks of a busy market are.
        world.market.sender.wait_all(world.market.sender.submit_many([(call, world.stranger)], simulate=False))
    # So that all of it is final: the index then reads it in ranges, as it does what is long past.
    world.chain.request("anvil_mine", hex(70))


def _measured(who: str, url: str, manifest: Path) -> tuple[float, float]:
    command = [sys.executable, "-m", "tests.bench.memory", who, url, str(manifest)]
    said = subprocess.run(command, check=True, capture_output=True, text=True, cwd=_ROOT).stdout.split()
    return float(said[0]), float(said[1])


def _work(who: str, url: str, manifest: Path) -> None:
    view = View(connect(url), load_deployment(manifest))
    if who == "audit":
        report, _ = run_audit(view)
        assert report.clean, report.findings[:3]
        return
    with tempfile.TemporaryDirectory(prefix="compute-ledger-bench-") as folder:
        store = open_store(Secret(f"sqlite:///{Path(folder, 'ledger.db')}"))
        for _ in Index(view, store).advance():
            pass
        store.close()


def _main(who: str, url: str, manifest: Path) -> None:
    began = resource.getrusage(resource.RUSAGE_SELF)
    _work(who, url, manifest)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    took_s = usage.ru_utime + usage.ru_stime - began.ru_utime - began.ru_stime
    print(usage.ru_maxrss / _KIB_PER_MIB, took_s)  # noqa: T201


if __name__ == "__main__":
    _main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
