"""What the tests of this folder share: worlds, one a process and kind of chain, and a command line in one of them."""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from ledger import DEVELOPMENT_MNEMONIC, Signer
from ledger.cli.main import main
from tests.world import ADMIN, BUYER, PROVIDER, SELLER, STRANGER, World, world_on


@pytest.fixture(scope="session")
def tester_world() -> Iterator[World]:
    """On eth-tester, in this process."""
    with world_on("tester") as world:
        yield world


@pytest.fixture(scope="session")
def anvil_world() -> Iterator[World]:
    """On anvil, by JSON-RPC."""
    with world_on("anvil") as world:
        yield world


@pytest.fixture(params=["tester", "anvil"])
def world(request: pytest.FixtureRequest) -> World:
    """On both, one after the other."""
    found: World = request.getfixturevalue(f"{request.param}_world")
    return found


@dataclass(frozen=True)
class Said:
    """What a command wrote, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def error(self) -> Any:
        return json.loads(self.err)["error"]


@dataclass(frozen=True)
class Shell:
    """The command line, with an environment that names a node, a manifest and the keys of the world's people."""

    environment: Mapping[str, str]

    def __call__(self, *words: str | Path | int, who: Signer | None = None, **environment: str) -> Said:
        """Runs `compute-ledger WORDS …` as `who` (default: nobody, without a key)."""
        account = "" if who is None else str((ADMIN, PROVIDER, BUYER, SELLER, STRANGER).index(who))
        named = {**self.environment, **environment, "COMPUTE_LEDGER_ACCOUNT": account}
        if who is None:
            named["COMPUTE_LEDGER_MNEMONIC_FILE"] = ""
        result = CliRunner().invoke(main, [str(word) for word in words], env=named, catch_exceptions=False)
        return Said(result.exit_code, result.stdout, result.stderr)

    def sends(self, who: Signer, *words: str | Path | int) -> Any:
        """What a command that succeeds says in JSON."""
        said = self(*words, "--json", who=who)
        assert said.code == 0, said.err
        return said.json


@pytest.fixture
def bare_shell(tmp_path: Path) -> Shell:
    """Knows no market, no key, and nothing of the variables around the tests."""
    ours = {name: "" for name in os.environ if name.startswith("COMPUTE_LEDGER_")}
    named = {
        "COMPUTE_LEDGER_MANIFEST": str(tmp_path / "deployment.json"),
        "COMPUTE_LEDGER_DATABASE": f"sqlite:///{tmp_path / 'ledger.db'}",
        "COLUMNS": "160",
    }
    return Shell(ours | named)


@pytest.fixture
def shell(bare_shell: Shell, anvil_world: World, tmp_path: Path) -> Shell:
    """In the world on anvil."""
    manifest, phrase = tmp_path / "deployment.json", tmp_path / "phrase"
    anvil_world.market.deployment.write(manifest)
    phrase.write_text(DEVELOPMENT_MNEMONIC)
    phrase.chmod(0o600)
    named = {
        "COMPUTE_LEDGER_RPC_URL": anvil_world.url,
        "COMPUTE_LEDGER_MNEMONIC_FILE": str(phrase),
    }
    return Shell({**bare_shell.environment, **named})
