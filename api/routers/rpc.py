"""The chain's node for wallets: only methods that read, and transactions that are signed already."""

import json
from collections.abc import Sequence
from math import isfinite
from typing import Any

import httpx
from fastapi import Request, Response

from api.auth import Work
from api.errors import problems
from api.nouns import Noun
from ledger import urls_of

router = Noun(prefix="/rpc", tags=["rpc"], responses=problems(413, 429))

METHODS = frozenset(
    {
        "eth_blockNumber",
        "eth_call",
        "eth_chainId",
        "eth_estimateGas",
        "eth_feeHistory",
        "eth_gasPrice",
        "eth_getBalance",
        "eth_getBlockByHash",
        "eth_getBlockByNumber",
        "eth_getBlockReceipts",
        "eth_getCode",
        "eth_getLogs",
        "eth_getProof",
        "eth_getStorageAt",
        "eth_getTransactionByHash",
        "eth_getTransactionCount",
        "eth_getTransactionReceipt",
        "eth_maxPriorityFeePerGas",
        "eth_sendRawTransaction",
        "eth_syncing",
        "net_version",
        "web3_clientVersion",
    }
)
BATCH_MAX = 100
ANSWER_BYTES_MAX = 16 * 2**20
"""How long an answer of the node may be: a few words ask for gigabytes of logs, and all of it stands in memory."""

_PARSE, _INVALID, _NO_METHOD, _DOWN, _LIMIT = -32_700, -32_600, -32_601, -32_603, -32_005


# The body must be read as bytes: that is the event loop's work, and so is passing it on.
@router.post(
    "",
    summary="JSON-RPC, by an allow-list of methods",
    response_class=Response,
    responses={200: {"content": {"application/json": {"schema": {}}}}},
    openapi_extra={"requestBody": {"content": {"application/json": {"schema": {}}}}},
)
async def pass_on(request: Request, work: Work) -> Response:
    calls = read_calls(await request.body())
    refusal = refuse(calls)
    if refusal is not None:
        return Response(json.dumps(refusal), media_type="application/json")
    said = work.settings.ledger
    async with work.passing_on:
        try:
            answer = await ask_nodes(urls_of(said.rpc_url.reveal()), said.rpc_timeout_s, json.dumps(plainly(calls)))
        except TooLong:
            text = f"the answer is longer than {ANSWER_BYTES_MAX} bytes: ask for less at once"
            return Response(json.dumps(_error(None, _LIMIT, text)), media_type="application/json")
    if answer is None:
        return Response(json.dumps(_error(None, _DOWN, "the node does not answer")), media_type="application/json")
    return Response(answer, media_type="application/json")


class TooLong(Exception):
    """An answer that is longer than what is passed on."""


async def ask_nodes(urls: Sequence[str], timeout_s: float, content: str) -> bytes | None:
    """The answer of the first node that gives one; None where none does. Raises TooLong."""
    for url in urls:
        try:
            # No proxy of the environment gets to see a node's address: there may be a key in it.
            async with httpx.AsyncClient(timeout=timeout_s, trust_env=False) as node:
                return await _ask(node, url, content)
        except (httpx.HTTPError, httpx.InvalidURL):
            continue
    return None


async def _ask(node: httpx.AsyncClient, url: str, content: str) -> bytes:
    found = bytearray()
    headers = {"Content-Type": "application/json"}
    async with node.stream("POST", url, content=content, headers=headers) as answer:
        async for part in answer.aiter_bytes():
            found += part
            if len(found) > ANSWER_BYTES_MAX:
                raise TooLong
    return bytes(found)


def read_calls(body: bytes) -> Any:
    """What a body says; None for one that is no JSON."""
    try:
        return json.loads(body, parse_constant=_no_number, parse_float=_number)
    except (ValueError, RecursionError):
        return None


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no JSON")


def _number(text: str) -> float:
    number = float(text)
    return number if isfinite(number) else _no_number(text)


def plainly(calls: Any) -> Any:
    """Allowed calls with nothing but what a call has. Nodes read a name that comes twice, or in capitals, each in its
    own way: what was allowed here must be what is done there."""
    if isinstance(calls, list):
        return [plainly(call) for call in calls]
    return {name: calls[name] for name in ("jsonrpc", "id", "method", "params") if name in calls}


def refuse(calls: Any) -> Any:
    """The JSON-RPC error that answers what is not passed on; None for what is."""
    if calls is None:
        return _error(None, _PARSE, "the body is no JSON")
    single = isinstance(calls, dict)
    listed = [calls] if single else calls
    if not isinstance(listed, list) or not 1 <= len(listed) <= BATCH_MAX:
        return _error(None, _INVALID, f"send one call, or a list of 1 to {BATCH_MAX}")
    for call in listed:
        if not isinstance(call, dict):
            return _error(None, _INVALID, "a call is an object")
        method = call.get("method")
        if not isinstance(method, str) or method not in METHODS:
            return _error(call.get("id"), _NO_METHOD, f"the method {str(method)[:60]!r} is not offered here")
    return None


def _error(number: Any, code: int, message: str) -> dict[str, Any]:
    name = number if isinstance(number, (int, str)) else None
    return {"jsonrpc": "2.0", "id": name, "error": {"code": code, "message": message}}
