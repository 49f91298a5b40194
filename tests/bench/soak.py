"""Nothing leaks: the whole local market under readers, listeners and buyers for some minutes, each process looked at
every few seconds. `scripts/bench api --only soak --minutes 10`, and once more with `--postgresql`."""

import itertools
import os
import sqlite3
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import linear_regression
from threading import Event, Thread

import httpx
import psycopg

from ledger.services import Service, Services
from tests.bench.figures import Figure
from tests.ports import free_port
from tests.postgres import postgres
from tests.running import environment

SAMPLE_S = 5.0
READERS, PAUSE_S = 4, 0.05
WARM_SHARE = 0.4
"""Of the time, so much at the start does not count: caches fill, and the first of everything is loaded."""

GROWTH_KIB_PER_MINUTE_MAX = 1_024
FILES_MORE_MAX = 8
minutes = 1.0
"""How long it lasts; `--minutes` says otherwise."""
on_postgresql = False
"""Whether the market's database is PostgreSQL's; `--postgresql` says so."""

_READY_S = 180
_KEPT = ("events", "orders", "intents", "attempts", "blocks")
_KIB = 1_024
# Each process by words of its command line.
_PROCESSES = {
    "API": "-m api",
    "index": " index --follow",
    "keeper": " keeper --read-only-index",
    "node's journal": " node --folder",
    "stream": "ledger.demo.stream",
}


@dataclass(frozen=True, slots=True)
class Sample:
    """One process at one moment: resident KiB, open files, threads."""

    time_s: float
    resident_kib: int
    files: int
    threads: int


def figures() -> Iterator[Figure]:
    """For each process how its memory and open files grew once it was warm, and the database beside its rows."""
    with ExitStack() as stack:
        folder, port = (
            Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="compute-ledger-soak-"))),
            free_port(),
        )
        server = stack.enter_context(postgres()).fresh() if on_postgresql else None
        services = stack.enter_context(Services())
        url = f"http://127.0.0.1:{port}"
        command = [sys.executable, "-m", "ledger.up", "--folder", str(folder / "market")]
        command += ["--port", str(port), "--node-port", str(free_port())]
        # What one caller may ask in a minute is tested elsewhere.
        named = {} if server is None else {"database": server}
        said = environment(api_reads_per_minute=0, api_writes_per_minute=0, **named)
        market = services.start(Service("market", command, folder / "up.log", said), lambda: _ready(url), _READY_S)
        assert market.process is not None
        sized = partial(database, folder / "market") if server is None else partial(on_server, server)
        yield from _watched(url, market.process.pid, sized)


def _watched(url: str, owner: int, sized: Callable[[], tuple[int, int]]) -> Iterator[Figure]:
    stop, asked, failed = Event(), itertools.count(), list[str]()
    load = _Load(url, stop, asked, failed)
    works: list[Callable[[], None]] = [load.read] * READERS + [load.listen, load.trade]
    threads = [Thread(target=work, daemon=True) for work in works]
    for thread in threads:
        thread.start()
    began_s, samples = time.monotonic(), defaultdict[str, list[Sample]](list)
    sizes: list[tuple[int, int]] = []
    while time.monotonic() - began_s < 60 * minutes:
        for name, process in processes(owner).items():
            with suppress(OSError, ValueError):
                samples[name].append(sample(process, time.monotonic() - began_s))
        sizes.append(sized())
        time.sleep(SAMPLE_S)
    stop.set()
    for thread in threads:
        thread.join(30)
    for name, found in samples.items():
        yield from grown(name, found)
    (first_bytes, first_rows), (last_bytes, last_rows) = sizes[int(len(sizes) * WARM_SHARE)], sizes[-1]
    if last_rows > first_rows:
        each = (last_bytes - first_bytes) / (last_rows - first_rows)
        note = f"{last_bytes / 2**20:.1f} MiB for {last_rows:,} rows"
        yield Figure("database, a row more", each, "bytes", note=note)
    answered = next(asked)
    yield Figure("requests meanwhile", answered / (60 * minutes), "/s", note=f"{answered:,} answered")
    # Which, and how: one in ten thousand is not seen twice.
    note = "; ".join(f"{count} x {what}" for what, count in Counter(failed).most_common(5))
    yield Figure("requests that failed (5xx, or no answer)", len(failed), "", 0, smaller=True, note=note)


def grown(name: str, found: Sequence[Sample]) -> Iterator[Figure]:
    """How a process grew after it was warm: the slope of its memory, and files more than at the beginning of that."""
    warm = found[int(len(found) * WARM_SHARE) :]
    if len(warm) < 3:
        return
    slope, _ = linear_regression([one.time_s / 60 for one in warm], [one.resident_kib for one in warm])
    note = f"{warm[0].resident_kib / _KIB:.0f} to {warm[-1].resident_kib / _KIB:.0f} MiB"
    yield Figure(f"{name}: memory", slope, "KiB/min", GROWTH_KIB_PER_MINUTE_MAX, smaller=True, note=note)
    more = max(one.files for one in warm[len(warm) // 2 :]) - max(one.files for one in warm[: len(warm) // 2])
    note = f"{warm[-1].files} files, {warm[-1].threads} threads"
    yield Figure(f"{name}: open files more", more, "", FILES_MORE_MAX, smaller=True, note=note)


# ---- processes


def processes(owner: int) -> Mapping[str, int]:
    """The processes below `owner` that do the work, by name."""
    parents, commands = {}, {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                parents[int(entry.name)] = int(_stat(entry)[1])
                commands[int(entry.name)] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
    found = {}
    for name, words in _PROCESSES.items():
        for number, command in commands.items():
            shell = command.startswith("/bin/sh")
            if words in command and not shell and _is_below(number, owner, parents):
                found[name] = number
    return found


def _stat(entry: Path) -> list[str]:
    text = (entry / "stat").read_text(encoding="utf-8", errors="replace")
    return text[text.rindex(")") + 2 :].split()


def _is_below(number: int, owner: int, parents: Mapping[int, int]) -> bool:
    while number in parents:
        if number == owner:
            return True
        number = parents[number]
    return False


def sample(process: int, time_s: float) -> Sample:
    """A process now."""
    entry = Path(f"/proc/{process}")
    pages = int((entry / "statm").read_text(encoding="ascii").split()[1])
    files = sum(1 for _ in (entry / "fd").iterdir())
    threads = sum(1 for _ in (entry / "task").iterdir())
    return Sample(time_s, pages * os.sysconf("SC_PAGE_SIZE") // _KIB, files, threads)


def database(folder: Path) -> tuple[int, int]:
    """The bytes of the market's database, and the rows of what it keeps for good."""
    path = next(folder.glob("**/ledger.db"))
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        rows = sum(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in _KEPT)
    return sum(one.stat().st_size for one in path.parent.glob("ledger.db*")), rows


def on_server(url: str) -> tuple[int, int]:
    """The same of a database of PostgreSQL's."""
    with psycopg.connect(url) as connection:
        counts = [connection.execute(f"SELECT count(*) FROM {table}".encode()).fetchone() for table in _KEPT]
        size = connection.execute("SELECT pg_database_size(current_database())").fetchone()
    assert size is not None
    return size[0], sum(one[0] for one in counts if one is not None)


# ---- load


@dataclass(frozen=True, slots=True)
class _Load:
    url: str
    stop: Event
    asked: "itertools.count[int]"
    failed: list[str]

    def _ask(self, client: httpx.Client, method: str, path: str, **more: object) -> httpx.Response | None:
        next(self.asked)
        try:
            response = client.request(method, path, **more)  # type: ignore[arg-type]
        except httpx.TransportError as error:
            self.failed.append(f"{method} {path.partition('?')[0]}: {type(error).__name__}")
            return None
        if response.status_code >= 500:
            self.failed.append(f"{method} {path.partition('?')[0]}: {response.status_code} {response.text[:160]}")
            return None
        return response

    def read(self) -> None:
        """Asks for one thing after another, of products and accounts as they are on the board now."""
        with httpx.Client(base_url=self.url, timeout=30) as client:
            while not self.stop.is_set():
                listed = self._ask(client, "GET", "/products?open=true&limit=20")
                codes = [one["product"] for one in listed.json()["data"]] if listed is not None else []
                for code in codes:
                    for path in ("", "/depth", "/clearings", "/orders", "/sites"):
                        self._ask(client, "GET", f"/products/{code}{path}")
                        self.stop.wait(PAUSE_S)
                for path in ("/prices", "/sites", "/leases", "/history?limit=50", "/health/ready", "/metrics"):
                    self._ask(client, "GET", path)
                    self.stop.wait(PAUSE_S)

    def listen(self) -> None:
        """Listens to news, and begins anew every few seconds, as pages do that are opened and closed."""
        with httpx.Client(base_url=self.url, timeout=30) as client:
            while not self.stop.is_set():
                until_s = time.monotonic() + 10
                with suppress(httpx.TransportError), client.stream("GET", "/stream") as events:
                    for _ in events.iter_lines():
                        if self.stop.is_set() or time.monotonic() > until_s:
                            break

    def trade(self) -> None:
        """A managed account that bids, looks at dispatches, and keeps documents."""
        with httpx.Client(base_url=self.url, timeout=30) as client:
            made = client.post("/keys", json={"name": "soak", "scopes": ["buyer"], "limit_micro_per_day": 10**15})
            client.headers["Authorization"] = f"Bearer {made.json()['key']}"
            for number in itertools.count():
                if self.stop.wait(0.5):
                    return
                name = {"Idempotency-Key": f"soak-{number}"}
                if number % 200 == 0:
                    self._ask(client, "POST", "/accounts/faucet", json={"amount": "90000"})
                    self.stop.wait(3)
                    self._ask(client, "POST", "/accounts/deposit", json={"amount": "80000"}, headers=name)
                    continue
                listed = self._ask(client, "GET", "/products?open=true&limit=3")
                for one in listed.json()["data"] if listed is not None else []:
                    body = {"kind": "bid", "product": one["product"], "units": 50, "tick": 300}
                    self._ask(client, "POST", "/orders/preview", json=body)
                    order = {"Idempotency-Key": f"soak-{number}-{one['product']}"}
                    self._ask(client, "POST", "/orders", json=body, headers=order)
                self._ask(client, "POST", "/dispatch/preview", json={"csv": "units,hours\n100 units,2h\n"})


def _ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health/ready", timeout=10).status_code == 200
    except httpx.TransportError:
        return False
