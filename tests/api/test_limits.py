"""A caller gets so much a minute, is told how much is left, and when to come again."""

import asyncio

import pytest
from starlette.types import Message, Receive, Scope, Send

from api.limits import Limits


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def receive() -> Message:
    return {"type": "http.request"}


def ask(
    limits: Limits, method: str = "GET", path: str = "/products", client: str = "1.1.1.1", key: str = ""
) -> Message:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    headers = [(b"authorization", key.encode())] if key else []
    scope = {"type": "http", "method": method, "path": path, "client": (client, 1), "headers": headers}
    asyncio.run(limits(scope, receive, send))
    return sent[0]


def headers_of(start: Message) -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in start["headers"]}


def test_so_many_and_no_more() -> None:
    limits = Limits(app, 3, 1)
    answers = [ask(limits) for _ in range(5)]
    assert [one["status"] for one in answers] == [200, 200, 200, 429, 429]
    told = [headers_of(one) for one in answers]
    assert [one["ratelimit"].split(";")[1] for one in told] == ["r=2", "r=1", "r=0", "r=0", "r=0"]
    assert told[0]["ratelimit-policy"] == '"reads";q=3;w=60'
    assert 1 <= int(told[-1]["retry-after"]) <= 60


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("::ffff:1.1.1.1", "::ffff:1.1.1.2", False),
        ("1.1.1.1", "1.1.1.2", False),
        ("fe80::1%eth0", "fe80::2%eth0", True),
        ("nonsense", "nonsense", True),
    ],
)
def test_who_has_many_addresses_is_one_caller(one: str, other: str, same: bool) -> None:
    limits = Limits(app, 1, 1)
    assert ask(limits, client=one)["status"] == 200
    assert ask(limits, client=other)["status"] == (429 if same else 200)


def test_an_address_makes_few_keys_a_minute() -> None:
    limits = Limits(app, 100, 100)
    answers = [ask(limits, "POST", "/keys", key=f"Bearer {number}") for number in range(11)]
    assert [one["status"] for one in answers] == [200] * 10 + [429]
    assert headers_of(answers[-1])["ratelimit-policy"] == '"keys made";q=10;w=60'
    assert ask(limits, "POST", "/orders")["status"] == 200
    assert ask(limits, "GET", "/keys")["status"] == 200
    assert ask(limits, "POST", "/keys", client="1.1.1.2")["status"] == 200


def test_writes_are_counted_apart() -> None:
    limits = Limits(app, 1, 1)
    assert [ask(limits, method)["status"] for method in ("GET", "POST", "POST", "HEAD")] == [200, 200, 429, 429]


def test_callers_are_counted_apart() -> None:
    limits = Limits(app, 1, 1)
    callers = [("1.1.1.1", ""), ("1.1.1.2", ""), ("1.1.1.1", "Bearer a"), ("1.1.1.1", "Bearer b"), ("1.1.1.1", "")]
    assert [ask(limits, client=client, key=key)["status"] for client, key in callers] == [200, 200, 200, 200, 429]


@pytest.mark.parametrize("path", ["/health/live", "/metrics", "/web/app.js"])
def test_who_watches_is_never_refused(path: str) -> None:
    limits = Limits(app, 1, 1)
    assert [ask(limits, path=path)["status"] for _ in range(3)] == [200] * 3


def test_zero_is_no_limit() -> None:
    limits = Limits(app, 0, 0)
    assert {ask(limits)["status"] for _ in range(50)} == {200}


def test_made_up_keys_do_not_get_past_their_address() -> None:
    limits = Limits(app, 2, 2)
    statuses = [ask(limits, key=f"Bearer made-up-{number}")["status"] for number in range(25)]
    assert statuses == [200] * 20 + [429] * 5
    assert ask(limits, client="1.1.1.2", key="Bearer mine")["status"] == 200


def test_a_key_that_many_hold_is_counted_at_each_of_them() -> None:
    limits = Limits(app, 1, 1)
    asked = [ask(limits, client=client, key="Bearer a")["status"] for client in ("1.1.1.1", "1.1.1.2", "1.1.1.1")]
    assert asked == [200, 200, 429]
