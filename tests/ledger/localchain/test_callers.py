"""Programs of this machine and wallets are let in, and pages of the web are not, whatever their headers say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.localchain.callers import why_not

JSON = "application/json"


def status(host: str | None, origin: str | None = None, kind: str | None = JSON) -> int | None:
    named = {"host": host, "origin": origin, "content-type": kind}
    headers = [(name.encode(), value.encode("latin-1")) for name, value in named.items() if value is not None]
    refused = why_not(headers)
    return None if refused is None else refused[0]


@pytest.mark.parametrize("host", ["127.0.0.1:8545", "127.0.0.1", "localhost:8545", "LOCALHOST", "[::1]:8545"])
@pytest.mark.parametrize(
    "origin",
    [None, "http://127.0.0.1:8000", "http://localhost:3000", "chrome-extension://nkbihfbeogaeaoehlefnkodbefgpgknn",
     "moz-extension://0a-1b"],
)  # fmt: skip
@pytest.mark.parametrize("kind", [JSON, "application/json; charset=utf-8", "Application/JSON"])
def test_program_and_wallet_are_let_in(host: str, origin: str | None, kind: str) -> None:
    assert status(host, origin, kind) is None


@pytest.mark.parametrize(
    "host",
    [None, "", "evil.example", "evil.example:8545", "localhost.evil.example", "127.0.0.1.evil.example", "127.0.0.1:x",
     "evil@127.0.0.1", "localhost.", "0.0.0.0:8545"],
)  # fmt: skip
def test_other_name_is_refused(host: str | None) -> None:
    assert status(host) == 403


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "null", "", "http://localhost.evil.example", "http://127.0.0.1@evil.example", "file://",
     "http://evil.example/http://localhost", "data:chrome-extension://a"],
)  # fmt: skip
def test_page_of_the_web_is_refused(origin: str) -> None:
    assert status("127.0.0.1:8545", origin) == 403


@pytest.mark.parametrize("kind", [None, "", "text/plain", "text/plain; application/json", "application/jsonp"])
def test_content_that_a_browser_sends_unasked_is_refused(kind: str | None) -> None:
    assert status("127.0.0.1:8545", None, kind) == 415


@given(name=st.text("abz019.-:[]", min_size=1))
def test_origin_is_let_in_where_its_host_would_be(name: str) -> None:
    assert status("localhost", f"http://{name}") == status(name)


def test_header_that_comes_twice_is_refused() -> None:
    host, kind = (b"host", b"localhost"), (b"content-type", JSON.encode())
    assert why_not([host, kind]) is None
    assert why_not([host, host, kind]) is not None
    assert why_not([host, kind, (b"content-type", b"text/plain")]) is not None
    assert why_not([host, kind, (b"origin", b"http://localhost"), (b"origin", b"https://evil.example")]) is not None
