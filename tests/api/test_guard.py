"""What no request gets past, over HTTP as browsers and strangers send it."""

import socket

import pytest

from api.guard import HEADERS
from tests.api.stage import Stage


def test_every_answer_tells_the_browser_what_it_may_do(stage: Stage) -> None:
    headers = stage.client.get("/").headers
    for path in ("/products", "/nowhere", "/health/live", "/products?cursor=x"):
        headers = stage.client.get(path).headers
        assert {name: headers[name.decode()] for name, _ in HEADERS} == {name: text.decode() for name, text in HEADERS}
    assert "default-src 'self'" in headers["content-security-policy"]


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "", "127.0.0.1.evil.example", "[::2]:80"])
def test_another_host_name_is_refused(stage: Stage, host: str) -> None:
    assert stage.client.get("/products", headers={"Host": host}).status_code == 400


@pytest.mark.parametrize("host", ["localhost", "localhost:1", "[::1]:8000", "[::1]", "127.0.0.1"])
def test_our_names_are_served(stage: Stage, host: str) -> None:
    assert stage.client.get("/products", headers={"Host": host}).status_code == 200


def test_of_two_host_names_none_counts(stage: Stage) -> None:
    # One would pass the guard, and whoever signs in with a wallet at the other's site would be signed in here.
    address = (stage.client.base_url.host, stage.client.base_url.port or 80)
    for hosts in (("evil.example", "localhost"), ("localhost", "evil.example"), ("localhost", "localhost")):
        lines = "".join(f"Host: {one}\r\n" for one in hosts)
        with socket.create_connection(address, timeout=10) as wire:
            wire.sendall(f"GET /login/nonce HTTP/1.1\r\n{lines}\r\n".encode())
            assert wire.recv(100).split()[1] == b"400", hosts


@pytest.mark.parametrize("origin", ["http://[", "http://[::1", "//", "evil.example"])
def test_an_origin_that_is_no_address_is_another_site(stage: Stage, origin: str) -> None:
    assert stage.client.post("/login", json={}, headers={"Origin": origin}).status_code == 403


def test_pages_of_other_sites_may_read_and_not_write(stage: Stage) -> None:
    for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}):
        assert stage.client.post("/login", json={}, headers=headers).status_code == 403
        assert stage.client.put("/jobs/0x00", headers=headers).status_code == 403
        assert stage.client.delete("/keys/" + "0" * 16, headers=headers).status_code == 403
        answer = stage.client.get("/products", headers=headers)
        assert answer.status_code == 200
        assert "access-control-allow-origin" not in answer.headers
    ours = f"http://{stage.client.base_url.host}:{stage.client.base_url.port}"
    assert stage.client.post("/login", json={}, headers={"Origin": ours}).status_code == 422


def test_a_long_body_is_refused_by_what_it_says(stage: Stage) -> None:
    too_long = stage.settings.body_bytes_max + 1
    assert stage.client.post("/rpc", content=b"x" * too_long).status_code == 413
    assert stage.client.post("/rpc", content=b"x" * (too_long - 1)).status_code == 200


def test_a_long_body_is_refused_by_what_it_is(stage: Stage) -> None:
    def parts() -> object:
        for _ in range(stage.settings.body_bytes_max // 1_000 + 2):
            yield b"x" * 1_000

    response = stage.client.post("/rpc", content=parts())  # type: ignore[arg-type]
    assert response.status_code == 413
    assert response.json()["type"] == "/problems/TooLarge"


@pytest.mark.parametrize("length", ["-1", "1e9", "99999999999999999999999999", "x"])
def test_a_nonsense_length_is_no_crash(stage: Stage, length: str) -> None:
    address = (stage.client.base_url.host, stage.client.base_url.port or 80)
    with socket.create_connection(address, timeout=10) as wire:
        wire.sendall(f"POST /rpc HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n".encode())
        status = wire.recv(100).split()[1]
    assert status in {b"400", b"413"}


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'[{"":'])
@pytest.mark.parametrize("path", ["/rpc", "/orders/preview", "/transactions"])
def test_a_body_of_brackets_does_not_end_the_process(stage: Stage, opening: bytes, path: str) -> None:
    body = opening * (250_000 // len(opening))
    response = stage.client.post(path, content=body, headers={"Content-Type": "application/json"})
    assert response.status_code == 413
    shallow = stage.client.post(path, content=opening * 3_000, headers={"Content-Type": "application/json"})
    assert shallow.status_code in {200, 422}
