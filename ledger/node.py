"""A local node: anvil on a free port of the loopback interface, gone when its context ends or its owner dies."""

import re
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ledger.errors import InputError, Unavailable

START_SECONDS_MAX = 60
DEVELOPMENT_MNEMONIC = "test test test test test test test test test test test junk"
"""Everyone knows the keys of these accounts: for chains without value only."""

_LISTENING = re.compile(r"Listening on (?P<host>[0-9.]+):(?P<port>[0-9]+)")

# The shell ends anvil when its standard input ends: a pipe that closes even when its holder was killed. It ends with
# anvil, so that the holder sees that too.
_LEASH = (
    'exec 3<&0; "$@" </dev/null 3<&- & child=$!; { read -r _ <&3; kill "$child" 2>/dev/null; } & '
    'wait "$child"; code=$?; kill $! 2>/dev/null; exit $code'
)


@dataclass(frozen=True, slots=True)
class LocalNode:
    """A running node: where it listens, and the file with what it prints."""

    url: str
    log: Path
    _process: subprocess.Popen[bytes]

    def stop(self) -> None:
        """Ends it, and returns when it is gone."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait()


@contextmanager
def local_node(*options: str, start_s: int | None = None, accounts: int = 10) -> Iterator[LocalNode]:
    """Runs anvil with further `options` until the context ends; every account of DEVELOPMENT_MNEMONIC has gas money.

    `start_s` is the first block's time (default: now). Raises InputError where there is no anvil, Unavailable when it
    does not start.
    """
    with tempfile.TemporaryDirectory(prefix="compute-ledger-") as folder:
        timed = [] if start_s is None else ["--timestamp", str(start_s)]
        node = start_node(Path(folder, "anvil.log"), "--accounts", str(accounts), *timed, *options)
        try:
            yield node
        finally:
            node.stop()


def start_node(log: Path, *options: str) -> LocalNode:
    """Starts anvil with these options; it prints to `log`, and lives until `stop` or the end of this process.

    Raises InputError where there is no anvil, Unavailable when it does not start.
    """
    # Else any page of the web that somebody looks at could ask it, with accounts that are unlocked.
    closed = ["--port", "0", "--host", "127.0.0.1", "--no-cors"]
    process = _on_leash([_anvil(), *closed, *options], log)
    try:
        return LocalNode(_url(process, log), log, process)
    except BaseException:
        LocalNode("", log, process).stop()
        raise


def _anvil() -> str:
    root = Path(__file__).resolve().parent.parent
    for candidate in (root / ".venv" / "bin" / "anvil", root / "node_modules" / ".bin" / "anvil"):
        if candidate.exists():
            return str(candidate)
    raise InputError("There is no anvil here.", "Run scripts/install, or use the chain in process (eth-tester).")


def _on_leash(command: Sequence[str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("wb") as output:
        return subprocess.Popen(
            ["/bin/sh", "-c", _LEASH, "sh", *command],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            # An interrupt meant for the owner must not reach the node before the owner is done with it.
            start_new_session=True,
        )


def _url(process: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + START_SECONDS_MAX
    while time.monotonic() < deadline and process.poll() is None:
        listening = _LISTENING.search(log.read_text(encoding="utf-8", errors="replace"))
        if listening is not None:
            return f"http://{listening['host']}:{listening['port']}"
        time.sleep(0.02)
    said = log.read_text(encoding="utf-8", errors="replace").split()
    raise Unavailable(f"anvil did not start: {' '.join(said[:40]) or 'it printed nothing'}.", "Try again.")
