"""A provider's agent as a process of its own, on a local executor or on a Slurm cluster, until it is killed.

python -m tests.provider URL FOLDER SITE KEY [SLURM_CONF]

FOLDER is the market's: its manifest, and the store that all share; what the agent keeps is in FOLDER/site-SITE.
"""

import sys
import threading
from collections.abc import Callable
from pathlib import Path

from ledger.agent.agent import Agent
from ledger.agent.executor import Executor
from ledger.agent.jobstore import FolderJobs
from ledger.agent.local import LocalExecutor
from ledger.agent.setup import AgentLimits, AgentSetup
from ledger.agent.slurm import SlurmExecutor
from ledger.artifacts import load_deployment
from ledger.chain import connect
from ledger.delivery import Delivery
from ledger.keys import signer_from_mnemonic
from ledger.node import DEVELOPMENT_MNEMONIC
from ledger.sending.sender import Sender
from ledger.settings import Secret
from ledger.store.agent import AgentBook
from ledger.store.engine import open_store


def folder_of(folder: Path, site: int) -> Path:
    """What the site's agent keeps."""
    return folder / f"site-{site}"


def database_of(folder: Path, site: int) -> Secret:
    return Secret(f"sqlite:///{folder_of(folder, site) / 'agent.db'}")


def serve(
    url: str, folder: Path, site: int, key: int, executor: Executor, at: Callable[[str], None] = lambda _: None
) -> None:
    """Looks after the site's leases for as long as it lives; `at` is told of each step that was just kept or done."""
    signer = signer_from_mnemonic(Secret(DEVELOPMENT_MNEMONIC), key)
    own = folder_of(folder, site)
    own.mkdir(exist_ok=True)
    chain, store = connect(url), open_store(database_of(folder, site))
    sender = Sender(chain, store)
    sender.resume(signer)
    delivery = Delivery(chain, load_deployment(folder / "deployment.json"), sender)
    limits = AgentLimits(ask_s=0.5, pause_s=0.3, gpus=0)
    setup = AgentSetup(
        delivery, site, signer, AgentBook(store), executor, FolderJobs(folder), own, limits=limits, at=at
    )
    for work in Agent(setup).run(threading.Event()):
        if work.troubles:
            sys.stderr.write("\n".join(work.troubles) + "\n")
            sys.stderr.flush()


if __name__ == "__main__":
    how: Executor = SlurmExecutor(config=Path(sys.argv[5])) if len(sys.argv) > 5 else LocalExecutor()
    serve(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), how)
