"""Reads and durable writes over HTTP: the app in a process of its own, its callers in this one; beside a bare FastAPI
route that returns the same bytes from the same server."""

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import quantiles

import httpx

from ledger import DEVELOPMENT_MNEMONIC, Secret, Sender, Signer, connect, deploy, signer_from_mnemonic
from ledger.services import Service
from ledger.services import Services as Processes
from tests.bench.figures import Figure
from tests.ports import free_port
from tests.running import environment, start_node, url_of
from tests.world import World, world_on

CALLERS = 200
SECONDS = 4.0
PACED = 1_000
"""Requests a second of all callers together, where they pause."""

SENDERS, EACH = 16, 100
_BARE = """
import sys, uvicorn
from fastapi import FastAPI, Response
app, folder = FastAPI(), sys.argv[2]
def serve(name):
    body = open(f"{folder}/{name}", "rb").read()
    @app.get(f"/{name}")
    def read() -> Response:
        return Response(body, media_type="application/json")
for name in sys.argv[3:]:
    serve(name)
uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_config=None, access_log=False)
"""


def figures() -> Iterator[Figure]:
    """Reads a second beside the bare route's, the slowest of a hundred, and raw transactions taken a second."""
    with tempfile.TemporaryDirectory(prefix="compute-ledger-bench-") as where, Processes() as processes:
        folder = Path(where)
        with world_on("anvil") as world:
            paths = play(world)
            url = start_api(processes, folder, world.url, world.market.deployment.write, "index")
            bodies = {name: httpx.get(url + path).content for name, path in paths.items()}
            bare = start_bare(processes, folder, bodies)
            for name, path in paths.items():
                rate, busy_ms = load(url, path)
                beside, bare_ms = load(bare, f"/{name}")
                _, times_ms = load(url, path, CALLERS / PACED)
                yield Figure(f"GET {name}", rate, "/s", 0.6 * beside, yardstick=beside, beside="a bare route")
                yield Figure(f"p99, {CALLERS} callers, {PACED:.0f}/s", p99(times_ms), "ms", 25, True)
                # Who always asks again waits for all the others: this is their number over the rate, and no goal.
                yield Figure(f"p99, {CALLERS} without pause", p99(busy_ms), "ms", yardstick=p99(bare_ms), beside="bare")
        yield Figure("POST raw transactions, kept on disk", writes(processes, folder), "/s", 400)


def play(world: World) -> Mapping[str, str]:
    """Some rounds of one product; what is read of it, by name."""
    site, product = world.site(), world.product()
    for _ in range(3):
        world.sell(site, product, 200)
    round_ = world.new_round()
    for tick in range(200, 240):
        world.market.bid(product, 50, tick=tick).send(world.buyer)
        world.market.offer(site, product, 10, tick=tick + 60).send(world.provider)
    return {
        "depth": f"/products/{product.code}/depth?round={round_}",
        "price": f"/products/{product.code}",
        "history": "/history?limit=50",
    }


def start_api(processes: Processes, folder: Path, node: str, write: Callable[[Path], None], *services: str) -> str:
    """The app on a market, in a process of its own."""
    manifest, port = folder / "deployment.json", free_port()
    write(manifest)
    said = environment(
        rpc_url=node,
        manifest=manifest,
        database=f"sqlite:///{folder / f'{port}.db'}",
        api_port=port,
        api_keystores=folder / "keys",
        api_services=",".join(services),
        api_reads_per_minute=0,
        api_writes_per_minute=0,
    )
    service = Service("api", [sys.executable, "-m", "api"], folder / f"api-{port}.log", said)
    url = f"http://127.0.0.1:{port}"
    processes.start(service, lambda: _answers(f"{url}/health/ready"), 60)
    return url


def start_bare(processes: Processes, folder: Path, bodies: Mapping[str, bytes]) -> str:
    """The bare app with these answers by name, served alike."""
    for name, body in bodies.items():
        (folder / name).write_bytes(body)
    port = free_port()
    command = [sys.executable, "-c", _BARE, str(port), str(folder), *bodies]
    url = f"http://127.0.0.1:{port}"
    processes.start(Service("bare", command, folder / "bare.log"), lambda: _answers(f"{url}/{next(iter(bodies))}"), 30)
    return url


# ---- load


def p99(times: Sequence[float]) -> float:
    return quantiles(times, n=100)[98]


def load(url: str, path: str, pause_s: float = 0) -> tuple[float, list[float]]:
    """Answers a second to many callers, and each one's milliseconds. Each asks again as soon as it is answered, or
    every `pause_s` seconds."""
    address = httpx.URL(url)
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{address.port}\r\n\r\n".encode()

    async def run() -> tuple[float, list[float]]:
        await _ask_until(address, request, (time.perf_counter() + 0.5, 0), 20)
        began = time.perf_counter()
        times_s = await _ask_until(address, request, (began + SECONDS, pause_s), CALLERS)
        return len(times_s) / (time.perf_counter() - began), [1_000 * one for one in times_s]

    return asyncio.run(run())


async def _ask_until(
    address: httpx.URL, request: bytes, until_and_pause_s: tuple[float, float], callers: int
) -> list[float]:
    end_s, pause_s = until_and_pause_s
    lanes = (_caller(address, request, end_s, pause_s, pause_s * place / callers) for place in range(callers))
    return [one for part in await asyncio.gather(*lanes) for one in part]


async def _caller(address: httpx.URL, request: bytes, end_s: float, pause_s: float, first_s: float) -> list[float]:
    reader, writer = await asyncio.open_connection(address.host, address.port)
    await asyncio.sleep(first_s)
    times_s = []
    while (began := time.perf_counter()) < end_s:
        writer.write(request)
        await _answer(reader, b"200")
        times_s.append(time.perf_counter() - began)
        if pause_s:
            await asyncio.sleep(max(0, pause_s - times_s[-1]))
    writer.close()
    return times_s


async def _answer(reader: asyncio.StreamReader, status: bytes) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    at = head.index(b"content-length: ") + len(b"content-length: ")
    body = await reader.readexactly(int(head[at : head.index(b"\r\n", at)]))
    assert head.split(b" ", 2)[1] == status, body
    return body


# ---- writes


def writes(processes: Processes, folder: Path) -> float:
    """Signed transactions a second that are taken: each kept on disk and handed to a node that keeps its own."""
    node = url_of(start_node(processes, folder / "chain"))
    chain = connect(node)
    people = [signer_from_mnemonic(Secret(DEVELOPMENT_MNEMONIC), index) for index in range(10)]
    deployment = deploy(Sender(chain), people[0])
    (folder / "writes").mkdir()
    url = start_api(processes, folder / "writes", node, deployment.write, "index", "sender")
    senders = people[1:9]
    raws = [raw_approvals(one, deployment.address("Token"), deployment.address("Treasury")) for one in senders]
    return asyncio.run(_send(httpx.URL(url), [part for whole in raws for part in _lanes(whole)]))


def _lanes(raws: Sequence[bytes]) -> list[Sequence[bytes]]:
    """A sender's transactions over several connections, so that more are on the way at once than there are senders."""
    return [raws[lane::4] for lane in range(4)]


def raw_approvals(signer: Signer, token: str, spender: str) -> list[bytes]:
    """Requests that bring transactions of one sender, signed beforehand."""
    requests = []
    for nonce in range(SENDERS * EACH // 8):
        data = bytes.fromhex("095ea7b3") + bytes.fromhex(spender[2:]).rjust(32, b"\0") + (nonce + 1).to_bytes(32)
        fields = {"type": 2, "chainId": 31_337, "nonce": nonce, "gas": 60_000, "to": token, "data": data, "value": 0}
        raw = signer.sign_transaction(fields | {"maxFeePerGas": 10**10, "maxPriorityFeePerGas": 10**9}).raw
        requests.append(json.dumps({"raw": "0x" + raw.hex()}).encode())
    return requests


async def _send(address: httpx.URL, lanes: Sequence[Sequence[bytes]]) -> float:
    async def lane(bodies: Sequence[bytes]) -> None:
        reader, writer = await asyncio.open_connection(address.host, address.port)
        head = f"POST /transactions HTTP/1.1\r\nHost: 127.0.0.1:{address.port}\r\nContent-Type: application/json\r\n"
        for body in bodies:
            writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
            await _answer(reader, b"202")
        writer.close()

    began = time.perf_counter()
    await asyncio.gather(*map(lane, lanes))
    return sum(map(len, lanes)) / (time.perf_counter() - began)


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=10).status_code == 200
    except httpx.TransportError:
        return False
