"""The chain's node for wallets: only methods that read, and transactions that are signed already."""

import json
from math import isfinite
from typing import Any

import httpx
from fastapi import Request, Response

from api.auth import Work
from api.errors import problems
from api.nouns import Noun

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
_PARSE, _INVALID, _NO_METHOD, _DOWN = -32_700, -32_600, -32_601, -32_603


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
    url = work.settings.ledger.rpc_url.reveal()
    try:
        async with httpx.AsyncClient(timeout=work.settings.ledger.rpc_timeout_s) as node:
            answer = await node.post(
                url, content=json.dumps(plainly(calls)), headers={"Content-Type": "application/json"}
            )
    except httpx.HTTPError:
        return Response(json.dumps(_error(None, _DOWN, "the node does not answer")), media_type="application/json")
    return Response(answer.content, media_type="application/json")


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
