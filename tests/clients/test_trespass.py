"""What is somebody else's stays so: ids, keys, sessions, cursors, files; and what strangers write stays text."""

import asyncio
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from random import Random

import pytest

from api.auth import now_s
from tests.api.routers.test_login import begin
from tests.api.stage import Stage, new_key
from tests.clients.raw import ask
from tests.world import BUYER, H100, VIRGINIA

SCRIPT = '<script>fetch("//evil.example")</script>"\'><img src=x onerror=alert(1)>'
LISTS = ("/products", "/history", "/sites", "/leases")
SEED = 7


def auth(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


# ---- others' things


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/accounts/withdraw", {"amount": "1 USD", "to": BUYER.address}),
        ("/accounts/deposit", {"amount": "1 USD"}),
        ("/accounts/approve", {"amount": "1 USD"}),
        ("/leases/1/accept", {}),
        ("/leases/1/abort", {"delivered": "0 %"}),
        ("/sites/1/attest", {"units": 10**6, "grade": "PREMIUM", "evidence": "none", "valid_days": 1}),
    ],
)
def test_a_key_acts_for_nobody_else(stage: Stage, path: str, body: dict[str, object]) -> None:
    key = new_key(stage, "buyer", "provider")["key"]
    before = stage.world.market.cash_micro(BUYER.address)
    for form in ("", "/preview", "/build"):
        response = stage.post(path + form, body | {"owner": BUYER.address}, key=key, Idempotency_Key="theirs")
        assert response.status_code in {403, 422}, (form, response.text)
    # A name that comes twice: whichever is read, it is one's own or it is refused.
    mine = stage.client.get("/login", headers=auth(key)).json()["address"]
    twice = json.dumps(body | {"owner": mine})[:-1] + f', "owner": "{BUYER.address}"}}'
    response = stage.client.post(
        path, content=twice, headers=auth(key) | {"Idempotency-Key": "twice", "Content-Type": "application/json"}
    )
    assert response.status_code in {403, 422}, response.text
    assert stage.world.market.cash_micro(BUYER.address) == before


def test_an_idempotency_key_is_its_owners_alone(stage: Stage) -> None:
    one, other = new_key(stage, cash="5"), new_key(stage, cash="5")
    body = {"kind": "bid", "product": stage.sold.code, "units": 10, "tick": 10}
    first = stage.post("/orders", body, key=one["key"], Idempotency_Key="same-name")
    second = stage.post("/orders", body, key=other["key"], Idempotency_Key="same-name")
    assert (first.status_code, second.status_code) == (202, 202)
    assert first.json()["intent"] != second.json()["intent"]
    assert "idempotency-replayed" not in second.headers


def test_money_goes_nowhere_but_where_the_key_allows(stage: Stage) -> None:
    made = new_key(stage, cash="5", withdraw_to=[BUYER.address])
    stranger = "0x" + "31" * 20
    for to in (stranger, made["address"]):
        response = stage.post("/accounts/withdraw", {"amount": "1", "to": to}, key=made["key"], Idempotency_Key="out")
        assert response.status_code == 403
    transfer = {"product": stage.sold.code, "units": 1, "to": stranger}
    assert stage.post("/accounts/transfer", transfer, key=made["key"], Idempotency_Key="out").status_code == 403
    assert stage.world.market.cash_micro(made["address"]) == 5_000_000


# ---- keys and sessions that are over


def test_a_revoked_key_and_an_ended_session_open_nothing(stage: Stage) -> None:
    made = new_key(stage)
    assert stage.client.delete(f"/keys/{made['key_id']}", headers=auth(made["key"])).status_code == 204
    ended = stage.services.accounts.open_session(BUYER.address, now_s() - 7_200, 3_600)
    body = {"kind": "bid", "product": stage.sold.code, "units": 1, "tick": 1}
    for secret in (made["key"], ended, made["key"][:-1], made["key"].swapcase(), "cl_", "cs_", "é" * 43):
        headers = {b"Authorization": f"Bearer {secret}".encode()}
        for path in ("/login", "/keys"):
            assert stage.client.get(path, headers=headers).status_code == 401, (secret, path)
        for form in ("", "/preview"):
            sent = stage.client.post(f"/orders{form}", json=body, headers=headers | {b"Idempotency-Key": b"over"})
            assert sent.status_code == 401, (secret, form)


def test_one_login_is_one_login(stage: Stage) -> None:
    said = begin(stage)
    answers = [stage.post("/login", said).status_code for _ in range(3)]
    assert answers == [200, 401, 401]
    # Beside a good nonce, a signature for another message of the same wallet opens nothing.
    fresh, older = begin(stage), begin(stage)
    assert stage.post("/login", fresh | {"signature": older["signature"]}).status_code == 401


# ---- cursors


@pytest.mark.parametrize("path", LISTS)
def test_forged_cursors_are_refused_in_words(stage: Stage, path: str) -> None:
    random = Random(SEED)
    real = stage.get(path, limit=1)["next"]
    forged = [real or "", "W10", "bnVsbA", "W1tdXQ", "e30", "////", "=" * 511, "W" * 512]
    if real:
        parts = json.loads(urlsafe_b64decode(real + "=" * (-len(real) % 4)))
        numbers: tuple[object, ...] = (
            -1,
            0,
            2**31,
            2**53,
            2**63 - 1,
            2**63,
            2**64,
            2**255,
            1e9,
            None,
            True,
            "1",
            "-1",
            "٣",
            [],
            {},
        )
        for _ in range(150):
            bent = list(parts)
            bent[random.randrange(len(bent))] = random.choice(numbers)
            text = json.dumps(bent).encode()
            forged.append(urlsafe_b64encode(text).rstrip(b"=").decode()[:512])
    for cursor in forged:
        response = stage.client.get(path, params={"cursor": cursor, "limit": 2})
        assert response.status_code in {200, 400, 410, 422}, f"seed {SEED}: {cursor} -> {response.text}"


# ---- what strangers write


def test_what_strangers_write_comes_back_as_data(stage: Stage) -> None:
    world = stage.world
    site = world.market.register_site(H100, 1, 1, VIRGINIA, SCRIPT).send(world.provider).value
    stage.catch_up()
    key = new_key(stage, name=SCRIPT[:80])["key"]
    shown = [
        stage.client.get(f"/sites/{site}"),
        stage.client.get("/history", params={"event": "SiteRegistered"}),
        stage.client.get("/keys", headers=auth(key)),
        stage.client.get(f"/products/{SCRIPT[:60]}"),
        stage.client.post("/login", json={"message": SCRIPT, "signature": "0x" + "00" * 65}),
        stage.client.get("/products", params={"area": SCRIPT[:50]}),
    ]
    for response in shown:
        assert response.headers["content-type"] in {"application/json", "application/problem+json"}
        assert response.headers["x-content-type-options"] == "nosniff"
        assert "default-src 'self'" in response.headers["content-security-policy"]
        json.loads(response.text)
    assert SCRIPT in json.dumps(shown[0].json(), ensure_ascii=False).replace('\\"', '"')
    assert shown[2].json()[0]["name"] == SCRIPT[:80]


def test_no_header_is_made_of_what_is_asked(stage: Stage) -> None:
    split = "a%0d%0aX-Injected: 1%0d%0a%0d%0a<html>"
    for response in (
        stage.client.get(f"/products?area={split}"),
        stage.client.get(f"/transactions/{split}"),
        stage.client.get(f"/accounts/{split}/statement.csv"),
        stage.client.get("/packages/" + "a%0d%0aX-Injected:1"),
        stage.client.get("/health/live", headers={"X-Request-ID": "a" * 5_000}),
    ):
        assert "x-injected" not in response.headers
        assert len(str(response.headers)) < 4_000


# ---- files


@pytest.mark.parametrize(
    "path",
    [
        "/web/../app.py", "/web/%2e%2e/app.py", "/web/..%2fapp.py", "/web/%2e%2e%2fapp.py", "/web/..%5capp.py",
        "/web//etc/passwd", "/web/%2fetc/passwd", "/web/....//app.py", "/web/%c0%ae%c0%ae/app.py", "/web/app.js%00.js",
        "/packages/..%2f..%2fpackage.json", "/packages/%2e%2e/package.json", "/packages/ethers.min.js%00",
        "/packages//etc/passwd", "/../api/app.py", "/%2e%2e/pyproject.toml", "/web/.", "/web/", "/web/style/",
    ],
)  # fmt: skip
def test_no_path_leads_out_of_what_is_served(stage: Stage, path: str) -> None:
    host = stage.client.base_url.host, stage.client.base_url.port or 0
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode()
    answer = asyncio.run(ask(host, request))
    assert answer.status in {400, 404}, answer
    for inside in (b"create_app", b"root:", b'"private"', b"[project]"):
        assert inside not in answer.body


def test_a_spent_transaction_is_not_spent_again(stage: Stage) -> None:
    buyer, market = stage.world.buyer, stage.world.market
    built = stage.post("/accounts/withdraw/build", {"amount": "1 USD", "to": buyer.address, "owner": buyer.address})
    fields = built.json()["transaction"]
    numbers = {name: int(fields[name], 16) for name in fields if name not in ("from", "to", "data")}
    raw = "0x" + buyer.sign_transaction(numbers | {"to": fields["to"], "data": fields["data"]}).raw.hex()
    before = market.cash_micro(buyer.address)
    first = stage.post("/transactions", {"raw": raw})
    assert first.status_code == 202, first.text
    again = [stage.post("/transactions", {"raw": raw}) for _ in range(3)]
    assert {one.json()["intent"] for one in again} == {first.json()["intent"]}
    assert market.cash_micro(buyer.address) == before - 1_000_000
