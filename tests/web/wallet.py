"""A wallet for tests: in the page it announces itself as EIP-6963 asks, behind the page it signs with a node's key."""

from collections.abc import Callable
from typing import Any

import httpx

from ledger import Signer

IN_PAGE = """
const listeners = {};
const provider = {
  request: async ({ method, params }) => {
    const answer = await window.walletAsked(method, params ?? []);
    if (answer.error) throw Object.assign(new Error(answer.error.message), { code: answer.error.code });
    return answer.result;
  },
  on: (name, work) => (listeners[name] = work),
};
const info = { uuid: "1", name: "Test Wallet", rdns: "test.wallet", icon: "data:," };
const tell = () => dispatchEvent(new CustomEvent("eip6963:announceProvider", { detail: { info, provider } }));
addEventListener("eip6963:requestProvider", tell);
tell();
"""
SIGNED_BY_NODE = {"eth_sendTransaction", "eth_signTypedData_v4"}


class Wallet:
    """Starts on another chain, which it must be told of. `batches` gets how many calls each batch had; without a list
    it knows of none. `refuses` are methods that its owner declines."""

    def __init__(self, signer: Signer, url: str, batches: list[int] | None = None) -> None:
        self.address = signer.address
        self.refuses: set[str] = set()
        self._url = url
        self._chain = "0x1"
        self._batches = batches
        self._last = ""
        self._methods: dict[str, Callable[..., Any]] = {
            "eth_requestAccounts": lambda: [self.address],
            "eth_accounts": lambda: [self.address],
            "eth_chainId": lambda: self._chain,
            "wallet_addEthereumChain": self._add,
        }
        if batches is not None:
            self._methods |= {
                "wallet_getCapabilities": lambda *_: {self._chain: {"atomic": {"status": "supported"}}},
                "wallet_sendCalls": self._batch,
                "wallet_getCallsStatus": lambda _: {"status": 200, "receipts": [{"transactionHash": self._last}]},
            }

    def asked(self, method: str, params: list[Any]) -> Any:
        """The answer to one request of the page, or its error."""
        if method in self.refuses:
            return {"error": {"code": 4001, "message": "User rejected the request."}}
        if method in SIGNED_BY_NODE:
            return self._node(method, params)
        if method in self._methods:
            return {"result": self._methods[method](*params)}
        unknown_chain = method == "wallet_switchEthereumChain"
        return {"error": {"code": 4902 if unknown_chain else 4200, "message": f"{method}: unknown"}}

    def _add(self, chain: Any) -> None:
        self._chain = chain["chainId"]

    def _batch(self, asked: Any) -> Any:
        assert self._batches is not None
        assert (asked["chainId"], asked["atomicRequired"]) == (self._chain, True)
        self._batches.append(len(asked["calls"]))
        for call in asked["calls"]:
            self._last = self._node("eth_sendTransaction", [call | {"from": asked["from"]}])["result"]
        return {"id": "1"}

    def _node(self, method: str, params: list[Any]) -> Any:
        return httpx.post(self._url, json={"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).json()
