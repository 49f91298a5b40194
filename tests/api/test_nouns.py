"""A request is held against the routes of its own noun alone."""

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from httpx import Client

from api.nouns import Noun
from api.routers import ROUTERS
from tests.api.stage import served


@pytest.fixture
def asked() -> list[str]:
    return []


@pytest.fixture
def client(asked: list[str]) -> Iterator[Client]:
    app = FastAPI()

    class Told(Noun):
        def matches(self, scope: Any) -> Any:
            found = super().matches(scope)
            if found[0].name != "NONE":
                asked.append(self.prefix)
            return found

    for prefix in ("/a", "/ab", "/a"):
        router = Told(prefix=prefix)
        router.get(f"/{len(app.routes)}")(lambda: "found")
        app.include_router(router)
    with served(app) as (url, _), Client(base_url=url) as found:
        yield found


def test_a_path_finds_its_noun_and_a_noun_may_have_two_routers(client: Client, asked: list[str]) -> None:
    paths = [path for path in client.get("/openapi.json").json()["paths"] if path.startswith("/a")]
    assert len(paths) == 3
    for path in paths:
        asked.clear()
        assert client.get(path).status_code == 200
        assert asked == [path.rpartition("/")[0]]
        assert client.post(path).status_code == 405
    assert client.get("/b/4").status_code == 404


def test_every_router_is_a_noun() -> None:
    assert all(isinstance(router, Noun) and router.prefix for router in ROUTERS)
