"""The repository keeps the house's rules, and each rule's check can tell a breach from good form."""

import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

import ledger
from tests import house

ROOT = Path(__file__).parent.parent

Check = Callable[[house.Sources], list[str]]

CHECKS: tuple[Check, ...] = (
    house.layers,
    house.confinement,
    house.environment,
    house.directions,
    house.public_names_only,
    house.exports,
    house.python_mirror,
    house.contract_mirror,
    house.invariants,
    house.errors_provoked,
    house.error_names,
    house.notices,
    house.unfinished,
    house.registries,
    house.machine_paths,
    house.locks,
    house.lengths,
    house.explanations,
    house.generated,
)


@cache
def repository() -> dict[str, str]:
    """Every text file that is committed or about to be."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    paths = sorted({path for path in listed.stdout.split("\0") if path and (ROOT / path).is_file()})
    return {path: (ROOT / path).read_text(encoding="utf-8", errors="replace") for path in paths}


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_house_rule_holds(check: Check) -> None:
    findings = check(repository())
    if findings:
        pytest.fail(f"{len(findings)} findings:\n" + "\n".join(findings), pytrace=False)


@pytest.mark.parametrize("name", ledger.__all__)
def test_exported_name_exists(name: str) -> None:
    assert getattr(ledger, name) is not None


INTERFACE = "error Book_Closed(uint256 at);"
CONTRACT = "contract Book { function bid(uint256 a) external { require(a > 0, Book_Closed(a)); } }"
INVARIANT = """
    /// @notice INV-2: comment of the one before.
    function helper() internal {}

    /// @notice INV-1: nothing is lost.
    function invariant_nothingIsLost() public {}
"""

# A breach of each rule, the least one, beside the finding that it must lead to.
BREACHES: tuple[tuple[Check, dict[str, str], str], ...] = (
    (house.layers, {"ledger/units.py": "from ledger.model import A"}, "units.py:1: layer 0 imports ledger.model.A"),
    (
        house.layers,
        {"ledger/market.py": "def f():\n    from ledger import cli"},
        "imports ledger.cli, which is not lower",
    ),
    (house.layers, {"ledger/product.py": "import ledger"}, "layer 1 imports ledger,"),
    (house.layers, {"ledger/misc.py": ""}, "has no layer"),
    (house.confinement, {"ledger/market.py": "from web3.types import TxParams"}, "imports web3.types.TxParams"),
    (house.confinement, {"scripts/x": "#!/usr/bin/env python3\nimport sqlalchemy as sa"}, "scripts/x:2"),
    (house.confinement, {"ledger/sending/sender.py": "import eth_account.messages"}, "belongs in ledger/keys.py"),
    (house.environment, {"ledger/settings.py": "import os\nos.environ['A']"}, "settings.py:2"),
    (house.environment, {"ledger/settings.py": "from os import getenv"}, "settings.py:1"),
    (
        house.directions,
        {"ledger/cli/main.py": "from api.app import create_app"},
        "cli/main.py:1: imports api.app.create_app",
    ),
    (house.directions, {"api/app.py": "import tests.house"}, "imports tests.house"),
    (house.public_names_only, {"api/app.py": "from ledger.market import bid"}, "ledger.market.bid is not exported"),
    (house.public_names_only, {"api/app.py": "import ledger\nledger.hidden()"}, "app.py:2: ledger.hidden"),
    (house.exports, {"ledger/__init__.py": "from ledger.units import A, B\n__all__ = ['A']"}, "B is imported"),
    (house.exports, {"ledger/__init__.py": "__all__ = ['A']"}, "A is exported, not imported"),
    (house.exports, {"ledger/__init__.py": "from ledger.units import A\n__all__ = ['A', 'A']"}, "twice"),
    (house.python_mirror, {"ledger/units.py": ""}, "units.py: no test of it in tests/ledger"),
    (house.python_mirror, {"tests/api/test_gone.py": ""}, "no api/gone.py"),
    (house.contract_mirror, {"contracts/Book.sol": CONTRACT}, "bid: no test in tests/contracts/Book/bid.t.sol"),
    (house.contract_mirror, {"contracts/libraries/Ratio.sol": "library Ratio {}"}, "libraries/Ratio.t.sol"),
    (
        house.contract_mirror,
        {"contracts/Book.sol": CONTRACT, "tests/contracts/Book/bid.t.sol": "// function test_bid\ncontract T {}"},
        "no test in",
    ),
    (house.invariants, {}, "lists no invariant"),
    (house.invariants, {"tests/INVARIANTS.md": "INV-1 a\n- INV-3 b"}, "not INV-1, INV-2"),
    (house.invariants, {"tests/INVARIANTS.md": "## INV-1 a"}, "INV-1: in no Solidity invariant"),
    (
        house.invariants,
        {"tests/INVARIANTS.md": "| INV-1 | a\n| INV-2 | b", "tests/contracts/I.t.sol": INVARIANT},
        "INV-2: in no Solidity invariant",
    ),
    (
        house.invariants,
        {"tests/INVARIANTS.md": "INV-1", "tests/contracts/I.t.sol": INVARIANT, "ledger/audit/run.py": "'INV-2'"},
        "INV-1: in no check in ledger/audit",
    ),
    (house.errors_provoked, {"contracts/interfaces/IBook.sol": INTERFACE}, "Book_Closed is raised nowhere"),
    (
        house.errors_provoked,
        {"contracts/interfaces/IBook.sol": INTERFACE, "contracts/Book.sol": CONTRACT},
        "Book_Closed is provoked by no test",
    ),
    (house.error_names, {"contracts/interfaces/IBook.sol": "error Closed();"}, "Closed does not begin with Book_"),
    (house.notices, {"ledger/data/prices.csv": "", "NOTICE": "rates.csv"}, "prices.csv: not named in NOTICE"),
    (house.unfinished, {"ledger/units.py": "\n# TO" + "DO: later"}, "units.py:2: unfinished"),
    (house.registries, {"README.md": "see https://pypi" + ".org/p"}, "README.md:1"),
    (house.machine_paths, {"scripts/run": "cd /ro" + "ot/x"}, "scripts/run:1"),
    (house.locks, {"requirements/a.lock": "left-pad==1.0 \\\n    --hash=sha1:0\n"}, "no hash for left-pad==1.0"),
    (house.locks, {"requirements/a.lock": "--index-url x"}, "--index-url"),
    (house.locks, {"package-lock.json": '"resolved": "x"'}, "names where"),
    (house.lengths, {"ledger/units.py": "\n" * 401}, "401 lines"),
    (house.explanations, {"contracts/Book.sol": "x;\n// slither-disable-next-line timestamp"}, "Book.sol:2: no reason"),
    (house.generated, {"out/Book.json": ""}, "out/Book.json"),
)


@pytest.mark.parametrize(("check", "sources", "finding"), BREACHES)
def test_check_finds_breach(check: Check, sources: dict[str, str], finding: str) -> None:
    assert finding in "\n".join(check(sources))


GOOD = {
    "ledger/__init__.py": "from ledger.units import A\n__all__ = ['A']",
    "ledger/units.py": "import os.path\nfrom ledger.errors import B\nfrom collections import deque",
    "ledger/chain.py": "import web3\nfrom ledger.units import A",
    "ledger/cli/main.py": "import os\nos.environ",
    "api/app.py": "import fastapi\nfrom ledger import A\nfrom api.routes import r\nimport ledger\nledger.A",
    "api/routes.py": "",
    "contracts/interfaces/IBook.sol": INTERFACE,
    "contracts/Book.sol": CONTRACT.replace("contract", "// slither-disable-next-line x it is meant so\ncontract"),
    "tests/contracts/Book/bid.t.sol": "function test_bid() public { Book_Closed.selector; }" + INVARIANT,
    "tests/INVARIANTS.md": "# What always holds, see INV-9\n- **INV-1** nothing is lost",
    "tests/ledger/test_units.py": "",
    "tests/ledger/test_chain.py": "",
    "tests/ledger/cli/test_main.py": "",
    "tests/api/test_app.py": "",
    "tests/api/test_routes.py": "",
    "ledger/data/prices.csv": "",
    "NOTICE": "ledger/data/prices.csv: MIT",
    "requirements/a.lock": "left-pad==1.0 ; sys_platform == 'x' \\\n    --hash=sha256:0\n",
    "scripts/run": "#!/usr/bin/env bash\ncd ../shared/data # https://example.org/docs/x",
}


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_check_passes_good_form(check: Check) -> None:
    assert check(GOOD) == []


def test_every_check_is_shown_a_breach() -> None:
    assert {check for check, _, _ in BREACHES} == set(CHECKS)
