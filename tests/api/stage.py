"""A played market with the app on it, as the tests of every router find it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Thread
from time import monotonic, sleep
from typing import Any

import uvicorn
from fastapi import FastAPI
from httpx import Client

from api.app import create_app
from api.services import Services
from api.settings import ApiSettings
from api.wire import Http
from ledger import Product, Secret, Settings
from tests.world import World


@dataclass(frozen=True)
class Stage:
    """`sold` traded in two rounds and has an order that waits; `lease` is of a shorter product, and reported."""

    world: World
    client: Client
    services: Services
    settings: ApiSettings
    site: int
    sold: Product
    round: int
    lease: int

    def get(self, path: str, **query: Any) -> Any:
        """What a read answers, which must succeed."""
        response = self.client.get(path, params=query or None)
        assert response.status_code == 200, response.text
        return response.json()

    def post(self, path: str, body: Any = None, key: str | None = None, **headers: str) -> Any:
        """The response to a write."""
        if key is not None:
            headers["Authorization"] = f"Bearer {key}"
        return self.client.post(path, json=body or {}, headers={k.replace("_", "-"): v for k, v in headers.items()})

    def catch_up(self) -> None:
        """Waits until the history is where the node is."""
        head, deadline_s = self.world.chain.block(), monotonic() + 60
        while monotonic() < deadline_s:
            self.services.feed.look()
            seen = self.services.feed.head
            if seen and seen.block >= head.number and seen.hash == self.world.chain.block(seen.block).hash:
                return
            sleep(0.02)
        found = self.services.feed.head
        raise AssertionError(f"the history is at {found}, the node at {head}; threads: {self.services.running()}")


@contextmanager
def staged(world: World, folder: Path, **changes: Any) -> Iterator[Stage]:
    """Plays a market and serves it."""
    manifest = folder / "deployment.json"
    world.market.deployment.write(manifest)
    ledger = Settings(
        rpc_url=Secret(world.url), manifest=manifest, database=Secret(f"sqlite:///{folder / 'ledger.db'}")
    )
    settings = ApiSettings(
        ledger=ledger, services=frozenset({"index", "sender"}), keystores=folder / "keystores",
        reads_per_minute=0, writes_per_minute=0,
    )  # fmt: skip
    settings = replace(settings, **changes)
    site, sold = world.site(), world.product(24)
    world.sell(site, sold, 500)
    round_ = world.new_round()
    world.market.offer(site, sold, 800, tick=410).send(world.provider)
    world.market.bid(sold, 300, tick=450).send(world.buyer)
    world.market.bid(sold, 700, tick=420).send(world.seller)
    world.finish(sold, round_)
    lease, _ = world.lease()
    world.new_round()
    world.market.bid(sold, 50, tick=300).send(world.buyer)
    world.market.ask(sold, 60, tick=500).send(world.buyer)
    with served(create_app(settings)) as (url, app), Client(base_url=url, timeout=60) as client:
        stage = Stage(world, client, app.state.services, settings, site, sold, round_, lease)
        stage.catch_up()
        yield stage


@contextmanager
def served(app: FastAPI) -> Iterator[tuple[str, FastAPI]]:
    """Serves an app on a port of its own, from a thread of this process."""
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None, access_log=False, http=Http)
    server = uvicorn.Server(config)
    thread = Thread(target=server.run, daemon=True)
    thread.start()
    deadline_s = monotonic() + 30
    while not server.started:
        assert thread.is_alive(), "the app did not start"
        assert monotonic() < deadline_s, "the app does not start"
        sleep(0.01)
    [port] = {socket.getsockname()[1] for one in server.servers for socket in one.sockets}
    try:
        yield f"http://127.0.0.1:{port}", app
    finally:
        server.should_exit = True
        thread.join(30)


def new_key(stage: Stage, *scopes: str, cash: str = "", **more: Any) -> dict[str, Any]:
    """A managed account's key; with `cash` it has so much in the market."""
    made: dict[str, Any] = stage.post(
        "/keys", {"name": "test", "scopes": list(scopes or ("buyer", "provider")), **more}
    ).json()
    if cash:
        done(stage, stage.post("/accounts/faucet", {"amount": cash}, key=made["key"]))
        done(stage, stage.post("/accounts/deposit", {"amount": cash}, key=made["key"], Idempotency_Key="deposit"))
    return made


def done(stage: Stage, response: Any) -> dict[str, Any]:
    """The status of what was accepted, once it is in a block."""
    assert response.status_code == 202, response.text
    return settled(stage, response.json()["links"]["status"])


def settled(stage: Stage, path: str) -> dict[str, Any]:
    """The status at a path, once it is in a block. A node may say that it has a transaction before it makes one."""
    deadline_s = monotonic() + 60
    while True:
        status: dict[str, Any] = stage.get(path)
        if status["state"] in {"included", "safe", "final", "reverted", "cancelled"}:
            return status
        assert monotonic() < deadline_s, status
        sleep(0.05)
