"""Documents are found by their hash by those alone whom they concern."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from eth_utils.crypto import keccak

from ledger import JobDocument, Product, Signer
from tests.api.routers.test_login import begin
from tests.api.stage import Stage, new_key
from tests.world import BUYER, PROVIDER, SELLER, STRANGER


def document(word: str) -> tuple[str, bytes]:
    """A document's hash and bytes."""
    body = JobDocument(("echo", word)).encode()
    return "0x" + keccak(body).hex(), body


def signed_in(stage: Stage, signer: Signer) -> dict[str, str]:
    """The headers of a wallet's session."""
    return {"Authorization": f"Bearer {stage.post('/login', begin(stage, signer)).json()['token']}"}


def put(stage: Stage, path: str, body: bytes, who: dict[str, str]) -> Any:
    return stage.client.put(path, content=body, headers=who)


@dataclass(frozen=True)
class Running:
    """A lease whose document its holder has brought."""

    lease: int
    product: Product
    hash: str
    body: bytes
    buyer: dict[str, str]
    provider: dict[str, str]


@contextmanager
def running(stage: Stage, word: str) -> Iterator[Running]:
    """A lease of the buyer's, with a document."""
    hash_, body = document(word)
    buyer = signed_in(stage, BUYER)
    assert put(stage, f"/jobs/{hash_}", body, buyer).status_code == 201
    world = stage.world
    site, product = world.site(), world.product(1)
    world.sell(site, product, 10)
    action = world.delivery.redeem(product, site, 10, job_hash=bytes.fromhex(hash_[2:]))
    lease = action.send(world.buyer).value
    stage.catch_up()
    yield Running(lease, product, hash_, body, buyer, signed_in(stage, PROVIDER))


def test_a_document_reaches_who_must_run_it_and_nobody_else(stage: Stage) -> None:
    with running(stage, "secret") as run:
        assert stage.get(f"/leases/{run.lease}")["data"]["job_hash"] == run.hash
        for who in (run.buyer, run.provider):
            found = stage.client.get(f"/jobs/{run.hash}", headers=who)
            assert (found.status_code, found.content) == (200, run.body)
            assert found.headers["cache-control"] == "private, no-store"
        for other in (SELLER, STRANGER):
            assert stage.client.get(f"/jobs/{run.hash}", headers=signed_in(stage, other)).status_code == 404
        assert stage.client.get(f"/jobs/{run.hash}").status_code == 401
        refused = stage.client.delete(f"/jobs/{run.hash}", headers=run.buyer)
        assert (refused.status_code, "has not ended" in refused.json()["detail"]) == (422, True)


def test_whoever_redeems_with_a_hash_that_they_saw_learns_nothing(stage: Stage) -> None:
    hash_, body = document("copied")
    put(stage, f"/jobs/{hash_}", body, signed_in(stage, BUYER))
    world = stage.world
    # A provider who buys of their own site, to be both holder and provider of a lease with that hash.
    site, product = world.site(owner=world.seller), world.product(1)
    round_ = world.new_round()
    world.market.offer(site, product, 10, tick=400).send(world.seller)
    world.market.bid(product, 10, tick=400).send(world.seller)
    world.finish(product, round_)
    world.delivery.redeem(product, site, 10, job_hash=bytes.fromhex(hash_[2:])).send(world.seller)
    stage.catch_up()
    assert stage.client.get(f"/jobs/{hash_}", headers=signed_in(stage, SELLER)).status_code == 404


def test_a_key_keeps_documents_and_ends_them(stage: Stage) -> None:
    made = new_key(stage, "buyer")
    who = {"Authorization": f"Bearer {made['key']}"}
    hash_, body = document("mine")
    first, again = (put(stage, f"/jobs/{hash_}", body, who) for _ in range(2))
    assert (first.status_code, first.json()) == (201, {"hash": hash_, "bytes": len(body), "new": True})
    assert (again.status_code, again.json()["new"]) == (201, False)
    [kept] = stage.client.get("/jobs", headers=who).json()
    assert (kept["hash"], kept["bytes"], kept["used"]) == (hash_, len(body), False)
    assert stage.client.delete(f"/jobs/{hash_}", headers=who).status_code == 204
    assert stage.client.delete(f"/jobs/{hash_}", headers=who).status_code == 404
    assert stage.client.get("/jobs", headers=who).json() == []


def test_only_a_document_is_kept_under_its_own_hash(stage: Stage) -> None:
    who = signed_in(stage, BUYER)
    hash_, body = document("right")
    other, _ = document("other")
    assert put(stage, f"/jobs/{other}", body, who).status_code == 400
    for text in (b"{}", b"[" * 9_000, b"\xff", body + b" "):
        assert put(stage, f"/jobs/0x{keccak(text).hex()}", text, who).status_code == 422, text[:20]
    assert put(stage, f"/jobs/{hash_[:-1]}", body, who).status_code == 422
    assert put(stage, f"/jobs/{hash_}", body, {}).status_code == 401
    reader = {"Authorization": f"Bearer {new_key(stage, 'provider')['key']}"}
    assert put(stage, f"/jobs/{hash_}", body, reader).status_code == 403


@pytest.mark.parametrize(("size", "status"), [(2**20 - 200, 201), (2**20 + 1, 413)])
def test_a_document_is_at_most_a_mebibyte(stage: Stage, size: int, status: int) -> None:
    body = JobDocument(("echo", "x"), {"A": "y" * 100}, {"f": b"z" * ((size - 300) // 4 * 3)}).encode()
    body = body if status == 201 else body + b" " * size
    answer = put(stage, f"/jobs/0x{keccak(body).hex()}", body, signed_in(stage, BUYER))
    assert answer.status_code == status, answer.text
