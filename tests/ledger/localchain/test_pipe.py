"""A pipe asks in order, and says what came before it was cut."""

import asyncio
import json

import pytest

from ledger import Unreachable, local_node
from ledger.localchain.keptnode import request
from ledger.localchain.pipe import Cut, open_pipe


def test_answers_come_in_the_order_of_the_questions() -> None:
    """And what comes first is done first: each block's time is later than the one before, or it would be refused."""

    async def asked(url: str) -> list[bytes]:
        pipe = await open_pipe(url)
        bodies = [request("evm_mine", 2_000_000_000 + n) for n in range(300)]
        answers = await pipe.ask([*bodies, request("eth_blockNumber")])
        pipe.close()
        return answers

    with local_node("--no-mining") as node:
        *mined, last = [json.loads(answer) for answer in asyncio.run(asked(node.url))]
    assert [answer["result"] for answer in mined] == ["0x0"] * 300
    assert last["result"] == hex(300)


def test_short_answers_do_not_wait_for_one_another() -> None:
    """Without prompt acknowledgements each of these would take 40 ms."""

    async def quickest(url: str) -> float:
        pipe, loop, took = await open_pipe(url), asyncio.get_running_loop(), []
        for _ in range(50):
            began = loop.time()
            await pipe.ask([request("eth_blockNumber")] * 3)
            took.append(loop.time() - began)
        pipe.close()
        return min(took)

    # The quickest of many: a busy machine makes some of them slow, and no acknowledgement that waits lets one be quick.
    with local_node() as node:
        assert asyncio.run(quickest(node.url)) < 0.03


def test_cut_connection_gives_what_came_before() -> None:
    async def cut() -> Cut:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}HTTP/1.1 200 OK\r\nContent-Le")
            await writer.drain()
            writer.close()

        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            pipe = await open_pipe(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
            with pytest.raises(Cut) as caught:
                await pipe.ask([b"{}"] * 3)
        return caught.value

    assert asyncio.run(cut()).answered == [b"{}"]


def test_nobody_there_is_said() -> None:
    with pytest.raises(Unreachable, match=r"127\.0\.0\.1:1"):
        asyncio.run(open_pipe("http://127.0.0.1:1"))
