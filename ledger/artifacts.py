"""The compiled contracts, and where they are deployed.

Contracts are compiled from this checkout with the compiler that foundry.toml names and the same settings, so that the
bytecode is what forge tests. A build is kept under the hash of everything that went into it.
"""

import fcntl
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import solcx
from eth_utils.crypto import keccak

from ledger.errors import BadDeployment, InputError

CONTRACTS: dict[str, str] = {
    "Standard": "contracts/Standard.sol",
    "Capacity": "contracts/Capacity.sol",
    "Treasury": "contracts/Treasury.sol",
    "Exchange": "contracts/Exchange.sol",
    "Delivery": "contracts/Delivery.sol",
    "TestDollar": "contracts/dev/TestDollar.sol",
    "AccessManager": "node_modules/@openzeppelin/contracts/access/manager/AccessManager.sol",
}
"""Every contract that a market consists of, by the name it has in Solidity, with the file that defines it."""

_REMAPPED = ("@openzeppelin/contracts/", "node_modules/@openzeppelin/contracts/")
_IMPORT = re.compile(r'^\s*import\s[^;"]*"(?P<path>[^"]+)"', re.MULTILINE)

# As in foundry.toml; a test compares the two.
SOLC_SETTINGS: dict[str, Any] = {
    "remappings": ["=".join(_REMAPPED)],
    "evmVersion": "cancun",
    "viaIR": True,
    "optimizer": {"enabled": True, "runs": 1_000_000},
    "metadata": {"bytecodeHash": "none", "appendCBOR": False},
    "outputSelection": {
        "*": {
            "*": [
                "abi",
                "evm.bytecode.object",
                "evm.deployedBytecode.object",
                "evm.deployedBytecode.immutableReferences",
                "storageLayout",
            ]
        }
    },
}


@dataclass(frozen=True, slots=True)
class Artifact:
    """One compiled contract: its ABI (as solc gives it), its creation code without constructor arguments, its runtime
    code with zeros for immutables, where those stand (pairs of start and length in bytes), and the storage slot of each
    state variable by its label."""

    name: str
    abi: tuple[Mapping[str, Any], ...]
    creation_code: bytes
    runtime_code: bytes
    immutable_spans: tuple[tuple[int, int], ...]
    slots: Mapping[str, int] = field(default_factory=dict)

    def masked(self, code: bytes) -> bytes:
        """Runtime code of a deployed contract with its immutables zeroed: equal to `runtime_code` if it is this one."""
        blank = bytearray(code)
        for start, length in self.immutable_spans:
            blank[start : start + length] = bytes(length)
        return bytes(blank)


@dataclass(frozen=True, slots=True)
class MarketTerms:
    """What is fixed at deployment: the round and the lead before delivery in seconds, then Delivery's periods in
    seconds and shares in basis points (DESIGN §4.5). The defaults are production's."""

    round_s: int = 60
    lead_s: int = 600
    report_period_s: int = 24 * 3_600
    dispute_period_s: int = 24 * 3_600
    ruling_period_s: int = 72 * 3_600
    grace_s: int = 3_600
    penalty_margin_bp: int = 1_000
    dispute_deposit_bp: int = 500
    derating_floor_bp: int = 2_000

    @property
    def delivery_terms(self) -> tuple[int, ...]:
        """The `Terms` that Delivery's constructor takes."""
        return tuple(getattr(self, field.name) for field in fields(self))[2:]


@dataclass(frozen=True, slots=True)
class Deployment:
    """A market on a chain: the addresses of its contracts and of the settlement `Token`, the block in which the last of
    them was made, the keccak-256 of each one's code (hex), and its terms."""

    chain_id: int
    block: int
    addresses: Mapping[str, str]
    code_hashes: Mapping[str, str]
    terms: MarketTerms

    def address(self, contract: str) -> str:
        """Where `contract` stands. Raises InputError for one that this market does not have."""
        if contract not in self.addresses:
            raise InputError(f"This deployment has no contract {contract!r}.", f"It has {', '.join(self.addresses)}.")
        return self.addresses[contract]

    def write(self, path: Path) -> None:
        """Writes the manifest as JSON, whole or not at all."""
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(path, json.dumps(asdict(self), indent=2) + "\n")

    def check_code(self, contract: str, code: bytes) -> None:
        """Raises BadDeployment unless `code`, as the chain has it, is what this manifest was written for."""
        if code_hash(code) != self.code_hashes.get(contract):
            held = "no code" if not code else "other code"
            where = f"at {self.address(contract)}, where {contract} should be"
            raise BadDeployment(f"on chain {self.chain_id}", f"the chain holds {held} {where}")


def load_deployment(path: Path) -> Deployment:
    """The manifest that `Deployment.write` wrote. Raises BadDeployment."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        return Deployment(
            chain_id=int(record["chain_id"]),
            block=int(record["block"]),
            addresses={name: str(address) for name, address in record["addresses"].items()},
            code_hashes={name: str(digest) for name, digest in record["code_hashes"].items()},
            terms=MarketTerms(**{name: int(value) for name, value in record["terms"].items()}),
        )
    except OSError as error:
        raise BadDeployment(str(path), error.strerror or str(error)) from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadDeployment(str(path), f"it is no manifest ({error})") from None


def code_hash(code: bytes) -> str:
    """The keccak-256 of a contract's code in hex, as `extcodehash` gives it."""
    return "0x" + keccak(code).hex()


@cache
def load_artifacts(root: Path | None = None, cache_folder: Path | None = None) -> Mapping[str, Artifact]:
    """Every contract of CONTRACTS, compiled from the checkout at `root` (default: the one this package runs from).

    The first call for some content takes about 20 s on two cores, later ones milliseconds: builds are kept in
    `cache_folder` (default: `.cache` in the checkout). Raises InputError where there is no checkout, and where a source
    is missing or does not compile.
    """
    root = root or _checkout()
    standard_input = _standard_input(root)
    folder = cache_folder or root / ".cache"
    kept = folder / f"contracts-{_digest(root, standard_input)}.json"
    with _locked(folder):
        if not kept.exists():
            _replace(kept, json.dumps(_compile(root, standard_input)))
        build = json.loads(kept.read_text(encoding="utf-8"))
    return MappingProxyType({name: _artifact(name, build[path][name]) for name, path in CONTRACTS.items()})


def _checkout() -> Path:
    root = Path(__file__).resolve().parent.parent
    if not (root / "contracts").is_dir() or not (root / "scripts" / "solc").is_file():
        raise InputError(
            "The contracts' sources are not here: this is an installed package, not a checkout.",
            "Clone the repository, run scripts/install there, and use its .venv/bin/compute-ledger.",
        )
    return root


def _standard_input(root: Path) -> dict[str, Any]:
    sources = {path: {"content": text} for path, text in sorted(_sources(root, CONTRACTS.values()))}
    return {"language": "Solidity", "sources": sources, "settings": SOLC_SETTINGS}


def _sources(root: Path, paths: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Every file that the compiler will ask for, each once, with its text."""
    waiting, seen = list(paths), set[str]()
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        try:
            text = (root / path).read_text(encoding="utf-8")
        except OSError:
            raise InputError(f"{path} is missing.", "Run scripts/install: it brings the contract library.") from None
        yield path, text
        waiting += [_resolved(path, found["path"]) for found in _IMPORT.finditer(text)]


def _resolved(importer: str, path: str) -> str:
    if path.startswith("."):
        whole = Path("/", Path(importer).parent, path)
        return str(Path(*_without_dots(whole.parts[1:])))
    return path.replace(*_REMAPPED, 1) if path.startswith(_REMAPPED[0]) else path


def _without_dots(parts: Iterable[str]) -> list[str]:
    plain: list[str] = []
    for part in parts:
        if part == "..":
            plain.pop()
        elif part != ".":
            plain.append(part)
    return plain


def _digest(root: Path, standard_input: Mapping[str, Any]) -> str:
    try:
        compiler = json.loads((root / "node_modules" / "solc" / "package.json").read_text(encoding="utf-8"))["version"]
    except OSError:
        raise InputError("The compiler is not installed.", "Run scripts/install.") from None
    return hashlib.sha256(json.dumps([compiler, standard_input], sort_keys=True).encode()).hexdigest()[:32]


def _compile(root: Path, standard_input: dict[str, Any]) -> dict[str, Any]:
    try:
        output = solcx.compile_standard(standard_input, solc_binary=root / "scripts" / "solc")
    except solcx.exceptions.SolcError as error:
        raise InputError(f"The contracts do not compile: {error.message}", "Run scripts/check.") from None
    return dict(output["contracts"])


def _artifact(name: str, output: Mapping[str, Any]) -> Artifact:
    deployed = output["evm"]["deployedBytecode"]
    spans = sorted(
        (span["start"], span["length"]) for group in deployed["immutableReferences"].values() for span in group
    )
    return Artifact(
        name=name,
        abi=tuple(output["abi"]),
        creation_code=bytes.fromhex(output["evm"]["bytecode"]["object"]),
        runtime_code=bytes.fromhex(deployed["object"]),
        immutable_spans=tuple(spans),
        slots={one["label"]: int(one["slot"]) for one in output["storageLayout"]["storage"]},
    )


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One process compiles at a time: those that come meanwhile find the build made."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _replace(path: Path, text: str) -> None:
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_text(text, encoding="utf-8")
    fresh.replace(path)
