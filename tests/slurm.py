"""A Slurm cluster of the tests' own: munged, slurmctld and slurmd of the Debian packages, as processes in a temporary
folder and on ports of loopback that nobody else has. Gone with every job when its context ends or its owner dies."""

import os
import pwd
import re
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.ports import free_port

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scontrol", "sinfo", "scancel")
CPUS, MEMORY_MIB, GPUS = 32, 131_072, 2
"""What its one node claims to have, whatever the machine has: Slurm counts these, and enforces nothing here."""

WAIT_S_MAX = 90

# As in tests/postgres.py: the daemon stops when its standard input ends, also by the death of whoever holds it.
_LEASH = '"$@" & child=$!; read -r _; kill -TERM "$child" 2>/dev/null; wait "$child"'
# What slurmd leaves when it ends: keepers of jobs, which wait for a controller for ever.
_SWEEP = (
    '; for one in /proc/[0-9]*; do [ "$(cat "$one/comm" 2>/dev/null)" = slurmstepd ] && '
    '[ "$(readlink "$one/cwd")" = "$PWD" ] && kill -KILL "${one#/proc/}"; done'
)
_NODE = "LEDGER_SLURM_NODE"
_PATH = "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin"

# No plugin that needs rights a container has not: processes are found in /proc, nothing is confined by cgroups.
_CONFIG = """
ClusterName=ledger
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={node_port}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.sock
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
GresTypes=gpu
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
JobCompType=jobcomp/none
MpiDefault=none
SwitchType=switch/none
SlurmdParameters=config_overrides
SlurmdTimeout=3
MessageTimeout=5
TCPTimeout=1
KillWait=5
ReturnToService=2
MailProg=/bin/true
SchedulerParameters=batch_sched_delay=0,sched_min_interval=0
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory={memory_mib} Gres=gpu:{gpus} State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def missing() -> list[str]:
    """What of it is not installed on this machine."""
    return [name for name in PROGRAMS if shutil.which(name, path=_PATH) is None]


class Cluster:
    """A running cluster of one node, `config` being its slurm.conf."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "slurm.conf"
        self._daemons: dict[str, subprocess.Popen[bytes]] = {}

    def tell(self, *command: str) -> str:
        """What one of Slurm's own commands prints. Raises AssertionError where it fails."""
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=self._environment(), timeout=60)
        assert done.returncode == 0, f"{' '.join(command)} failed: {done.stderr}{self.logs()}"
        return done.stdout.strip()

    def node_state(self) -> str:
        """`idle`, `mixed`, `down*` …; empty while the controller does not answer."""
        try:
            return self.tell("sinfo", "--noheader", "--format=%T")
        except AssertionError:
            return ""

    def job_state(self, name: str) -> str:
        """`RUNNING`, `NODE_FAIL` …, one a line where several jobs have that name."""
        return self.tell("squeue", "--noheader", "--states=all", f"--name={name}", "--format=%T")

    def lose_node(self) -> None:
        """Takes the node's power away: slurmd and all that runs on the node are gone at once, with no goodbye."""
        self._end("slurmd", signal.SIGKILL)
        self._end_jobs()

    def return_node(self) -> None:
        """Starts the node again, and waits until it takes jobs."""
        if "slurmd" not in self._daemons:
            self._start("slurmd", "-D", "-f", str(self.config))
        self.wait_for(lambda: self.node_state() in ("idle", "mixed", "allocated"), "a node that takes jobs")

    def lose_controller(self) -> None:
        """Ends slurmctld; jobs run on, and nobody answers."""
        self._end("slurmctld", signal.SIGTERM)

    def return_controller(self) -> None:
        self._start("slurmctld", "-D", "-f", str(self.config))
        self.wait_for(lambda: self.node_state() not in ("", "unknown"), "a controller that answers")

    def start(self) -> None:
        munge = [f"--{name}={self.folder / file}" for name, file in _MUNGE.items()]
        self._start("munged", "--foreground", "--force", *munge)
        self.wait_for((self.folder / "munge.sock").exists, "munged's socket")
        self._start("slurmctld", "-D", "-f", str(self.config))
        self.return_node()

    def stop(self) -> None:
        for name in ("slurmd", "slurmctld", "munged"):
            self._end(name, signal.SIGTERM)
        self._end_jobs()

    def wait_for(self, condition: Callable[[], object], what: str) -> None:
        """Raises AssertionError, with all that the daemons said, where it does not come to pass."""
        deadline = time.monotonic() + WAIT_S_MAX
        while not condition():
            fallen = [name for name, daemon in self._daemons.items() if daemon.poll() is not None]
            assert not fallen, f"{' and '.join(fallen)} ended, waiting for {what}.{self.logs()}"
            assert time.monotonic() < deadline, f"Waited {WAIT_S_MAX} s in vain for {what}.{self.logs()}"
            time.sleep(0.1)

    def logs(self) -> str:
        """The end of what each daemon said."""
        texts = ((path.name, path.read_text(errors="replace")[-2_000:]) for path in sorted(self.folder.glob("*.log")))
        return "".join(f"\n--- {name}\n{text}" for name, text in texts)

    def _environment(self) -> dict[str, str]:
        return {"PATH": _PATH, "SLURM_CONF": str(self.config)}

    def _start(self, name: str, *options: str) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self._daemons[name] = subprocess.Popen(
                ["/bin/sh", "-c", _LEASH + (_SWEEP if name == "slurmd" else ""), "sh", name, *options],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._environment() | ({_NODE: "1"} if name == "slurmd" else {}),
                cwd=self.folder,
                start_new_session=True,
            )

    def _end(self, name: str, sign: signal.Signals) -> None:
        daemon = self._daemons.pop(name, None)
        if daemon is None:
            return
        assert daemon.stdin is not None
        if sign == signal.SIGKILL:
            os.killpg(daemon.pid, sign)
        daemon.stdin.close()
        try:
            daemon.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(daemon.pid, signal.SIGKILL)
            daemon.wait()

    def _end_jobs(self) -> None:
        """Kills whatever the node started: it outlives slurmd, as it should, and its environment says whose it is."""
        parents, marked = dict[int, int](), set[int]()
        for process in Path("/proc").iterdir():
            if process.name.isdigit():
                with suppress(OSError):
                    number = int(process.name)
                    parents[number] = int((process / "stat").read_text().rpartition(")")[2].split()[1])
                    if self._is_of_node(process):
                        marked.add(number)
        while more := {child for child, parent in parents.items() if parent in marked} - marked:
            marked |= more
        # First those who would tell the controller that their job was killed: a node without power says nothing.
        for number in sorted(marked, key=lambda one: _name_of(one) != "slurmstepd"):
            with suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)

    def _is_of_node(self, process: Path) -> bool:
        # A job's keeper writes its title over its environment: it is known by where it stands.
        if _name_of(int(process.name)) == "slurmstepd":
            return (process / "cwd").readlink() == self.folder
        environment = (process / "environ").read_bytes().split(b"\0")
        names = {one.partition(b"=")[0] for one in environment}
        return f"SLURM_CONF={self.config}".encode() in environment and bool(names & {_NODE.encode(), b"SLURM_JOB_ID"})


def _name_of(process: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{process}/comm").read_text().strip()
    return ""


_MUNGE = {
    "key-file": "munge.key",
    "socket": "munge.sock",
    "pid-file": "munged.pid",
    "log-file": "munge.log",
    "seed-file": "munge.seed",
}


@contextmanager
def slurm() -> Iterator[Cluster]:
    """Runs a cluster until the context ends. Raises AssertionError, with what it printed, where it does not start."""
    assert not missing(), f"{', '.join(missing())} of Slurm are missing: run scripts/install --slurm"
    with tempfile.TemporaryDirectory(prefix="ledger-slurm-", ignore_cleanup_errors=True) as name:
        cluster = Cluster(Path(name))
        _lay_out(cluster)
        try:
            cluster.start()
            yield cluster
        finally:
            cluster.stop()


def _lay_out(cluster: Cluster) -> None:
    folder = cluster.folder
    folder.chmod(0o755)
    for name in ("state", "spool"):
        (folder / name).mkdir()
    key = folder / "munge.key"
    key.touch(mode=0o600)
    key.write_bytes(secrets.token_bytes(128))
    # Slurm wants a device file for each GPU, and looks no closer than that it is there.
    devices = ("/dev/null", "/dev/zero")[:GPUS]
    (folder / "gres.conf").write_text("".join(f"Name=gpu File={device}\n" for device in devices))
    config = _CONFIG.format(
        folder=folder,
        controller_port=free_port(),
        node_port=free_port(),
        user=pwd.getpwuid(os.geteuid()).pw_name,
        host=socket.gethostname().split(".")[0],
        cpus=CPUS,
        memory_mib=MEMORY_MIB,
        gpus=GPUS,
    )
    cluster.config.write_text(config)
    if _version(cluster) >= (23, 11):
        # From then on slurmd wants control groups for itself, whatever the plugins above say.
        (folder / "cgroup.conf").write_text("CgroupPlugin=disabled\n")


def _version(cluster: Cluster) -> tuple[int, int]:
    found = re.search(r"(\d+)\.(\d+)", cluster.tell("slurmd", "-V"))
    assert found is not None
    return int(found[1]), int(found[2])
