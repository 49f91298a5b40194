"""Our own processes, as benchmarks and drills run them: by the command line, on a leash, to be killed."""

import os
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from ledger.services import Service, Services

PROGRAM = (sys.executable, "-c", "from ledger.cli.main import main; main()")
"""`compute-ledger`, of this checkout."""


def start_node(services: Services, folder: Path, *options: str, port: int = 0, within_s: float = 60) -> Service:
    """`compute-ledger node`, once it answers; `url_of` says where."""
    log = folder.parent / f"{folder.name}.log"
    log.unlink(missing_ok=True)
    service = Service("node", [*PROGRAM, "node", "--folder", str(folder), "--port", str(port), *options], log)
    return services.start(service, lambda: url_of(service), within_s)


def url_of(node: Service) -> str:
    """Where a node said that it answers; empty until it did."""
    return next((word for word in node.last_words(20).split() if word.startswith("http://")), "")


def kill(service: Service) -> None:
    """kill -9 of a process, whatever it is doing; the leash that holds it ends with it, and so do its own children."""
    if service.process is not None and service.alive:
        leash = service.process.pid
        for child in Path(f"/proc/{leash}/task/{leash}/children").read_text(encoding="ascii").split():
            with suppress(ProcessLookupError):
                os.kill(int(child), signal.SIGKILL)
        service.process.wait()


def environment(**named: object) -> Mapping[str, str]:
    """This process's environment with these settings of ours, and no others."""
    others = {name: text for name, text in os.environ.items() if not name.startswith("COMPUTE_LEDGER_")}
    return others | {f"COMPUTE_LEDGER_{name.upper()}": str(value) for name, value in named.items()}
