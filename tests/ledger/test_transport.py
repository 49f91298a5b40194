"""One node over HTTP: what it answers, in order; all else is unreachable, and nothing secret is shown."""

import http.server
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from ledger import Unreachable
from ledger.transport import IDLE_MAX, Transport
from tests.faults import Fault, faulty
from tests.ledger.test_chain import answering


class Echo(http.server.BaseHTTPRequestHandler):
    """Answers each request with its method, batches backwards; remembers headers and connections."""

    protocol_version = "HTTP/1.1"
    headers_seen: list[dict[str, str]]
    paths_seen: list[str]
    ports_seen: set[int]

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.headers_seen.append(dict(self.headers))
        self.paths_seen.append(self.path)
        self.ports_seen.add(self.client_address[1])
        answers = [{"jsonrpc": "2.0", "id": one["id"], "result": one["method"]} for one in _listed(asked)]
        said = json.dumps(answers[::-1] if isinstance(asked, list) else answers[0]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *_: Any) -> None:
        """Says nothing."""


def _listed(asked: Any) -> list[Any]:
    return asked if isinstance(asked, list) else [asked]


@contextmanager
def echoing() -> Iterator[tuple[str, type[Echo]]]:
    class Own(Echo):
        headers_seen: list[dict[str, str]] = []  # noqa: RUF012
        paths_seen: list[str] = []  # noqa: RUF012
        ports_seen: set[int] = set()  # noqa: RUF012

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Own) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}", Own
        finally:
            server.shutdown()
            thread.join()


def test_answers_come_in_the_order_of_the_requests() -> None:
    with echoing() as (host, _):
        transport = Transport(f"http://{host}", 5)
        wanted = [(f"method_{n}", ()) for n in range(30)]
        assert [one["result"] for one in transport.ask(wanted)] == [method for method, _ in wanted]
        assert transport.ask([("alone", ())])[0]["result"] == "alone"
        assert transport.ask([]) == []
        assert transport.tally().calls == 2
        transport.close()


def test_connection_is_kept_and_threads_do_not_mix_their_answers() -> None:
    with echoing() as (host, seen):
        transport = Transport(f"http://{host}", 5)
        for _ in range(5):
            transport.ask([("again", ())])
        assert len(seen.ports_seen) == 1
        wrong: list[str] = []

        def ask_often(name: str) -> None:
            wrong.extend(name for _ in range(50) if transport.ask([(name, ())])[0]["result"] != name)

        threads = [threading.Thread(target=ask_often, args=(f"thread_{n}",)) for n in range(2 * IDLE_MAX)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert wrong == []
        assert len(transport._idle) <= IDLE_MAX
        transport.close()


def test_path_query_and_password_are_sent_and_never_shown() -> None:
    with echoing() as (host, seen):
        transport = Transport(f"http://user:hunt%40r2@{host}/v3/secret-key?token=abc", 5)
        transport.ask([("hello", ())])
        assert seen.paths_seen == ["/v3/secret-key?token=abc"]
        assert seen.headers_seen[0]["Authorization"] == "Basic dXNlcjpodW50QHIy"
        transport.close()
    with pytest.raises(Unreachable) as refused:
        Transport(f"http://user:hunt%40r2@{host}/v3/secret-key?token=abc", 5).ask([("hello", ())])
    for secret in ("hunt", "secret-key", "abc"):
        assert secret not in f"{refused.value} {transport!r}"


def test_connection_that_the_node_closed_while_idle_is_not_used_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        said = b'{"jsonrpc": "2.0", "id": 0, "result": 1}'

        closed = threading.Event()

        def answer_once_each() -> None:
            for _ in range(2):
                peer, _address = listening.accept()
                with peer:
                    peer.recv(65_536)
                    peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(said) + said)
                closed.set()

        thread = threading.Thread(target=answer_once_each)
        thread.start()
        transport = Transport(f"http://127.0.0.1:{listening.getsockname()[1]}", 5)
        assert transport.ask([("one", ())])[0]["result"] == 1
        assert closed.wait(60)
        # The end of the connection takes a moment to arrive.
        time.sleep(0.05)
        assert transport.ask([("two", ())])[0]["result"] == 1
        thread.join()
        assert (transport.tally().calls, transport.tally().errors) == (2, 0)
        transport.close()


@pytest.mark.parametrize(
    ("answer", "status", "why"),
    [
        (b"", 200, "no JSON"),
        (b"<html>", 200, "no JSON"),
        (b"too many", 429, "status 429"),
        (b"oops", 500, "status 500"),
        (b"null", 200, "no JSON-RPC"),
        (b"{}", 200, "no JSON-RPC"),
        (b"[]", 200, "no JSON-RPC"),
        (b"[1, 2]", 200, "no JSON-RPC"),
        (b'[{"id": 0, "result": 1}]', 200, "no JSON-RPC"),
        (b'[{"id": 0, "result": 1}, {"id": 7, "result": 1}]', 200, "no JSON-RPC"),
        (b'[{"id": 0, "result": 1}, {"id": 1, "error": null}]', 200, "no JSON-RPC"),
    ],
)
def test_what_is_no_answer_is_unreachable(answer: bytes, status: int, why: str) -> None:
    with answering(answer, status) as url:
        transport = Transport(url, 5)
        with pytest.raises(Unreachable, match=why):
            transport.ask([("one", ()), ("two", ())])
        assert transport.tally().errors == 1
        transport.close()


def test_refusal_of_a_whole_batch_is_each_ones_also_with_a_status() -> None:
    refusal = {"code": -32_600, "message": "batch too large"}
    with answering(json.dumps({"id": None, "error": refusal}).encode(), 413) as url:
        assert [one["error"] for one in Transport(url, 5).ask([("one", ()), ("two", ())])] == [refusal, refusal]


def test_lost_replies_are_unreachable_and_the_next_request_is_answered() -> None:
    with echoing() as (host, _), faulty(f"http://{host}", seed=5) as proxy:
        transport = Transport(proxy.url, 5)
        for fault in (Fault.LOSE_REPLY, Fault.LOSE_REQUEST, Fault.GARBAGE, Fault.PAGE, Fault.BROKEN):
            proxy.plan.append(fault)
            with pytest.raises(Unreachable):
                transport.ask([("one", ())])
            assert transport.ask([("two", ())])[0]["result"] == "two"
        assert (transport.tally().calls, transport.tally().errors) == (10, 5)
        assert transport.tally().seconds > 0
        transport.close()


def test_slow_node_is_given_up_in_time() -> None:
    with echoing() as (host, _), faulty(f"http://{host}") as proxy:
        proxy.delay_s = 2.0
        begun = time.monotonic()
        with pytest.raises(Unreachable, match="Timeout"):
            Transport(proxy.url, 0.2).ask([("one", ())])
        assert time.monotonic() - begun < 1.5
