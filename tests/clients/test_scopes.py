"""What a key may have signed and kept here, write by write: what its scopes say, and nothing else."""

from collections.abc import Callable
from typing import Any

import pytest
from eth_utils.crypto import keccak

from ledger import JobDocument
from tests.api.stage import Stage

BUYER, PROVIDER, BOTH = frozenset({"buyer"}), frozenset({"provider"}), frozenset({"buyer", "provider"})
OWNER = "0x" + "55" * 20
DOCUMENT = JobDocument(("echo", "scopes")).encode()
HASH = "0x" + keccak(DOCUMENT).hex()

Writes = list[tuple[str, dict[str, Any], frozenset[str]]]


def writes(stage: Stage) -> Writes:
    """Each write that names itself, with a body that can be read, and the scopes of which one must be there."""
    sold: dict[str, Any] = {"product": stage.sold.code}
    order = sold | {"units": 1, "tick": 300}
    units = sold | {"site": stage.site, "units": 1}
    lease, site = f"/leases/{stage.lease}", f"/sites/{stage.site}"
    attested = {"units": 1, "evidence": "x", "valid_until_s": 1}
    return [
        ("/orders", order | {"kind": "bid"}, BUYER),
        ("/orders", order | {"kind": "ask"}, BOTH),
        ("/orders", order | {"kind": "offer", "site": stage.site}, PROVIDER),
        ("/units/mint", units, PROVIDER),
        ("/units/retire", units, PROVIDER),
        ("/units/split", units, BOTH),
        ("/units/merge", units, BOTH),
        ("/units/relax", units | {"tier": "HUB"}, BOTH),
        ("/leases", units, BUYER),
        (f"{lease}/accept", {}, BUYER),
        (f"{lease}/dispute", {"evidence": "x"}, BUYER),
        (f"{lease}/report", {"delivered": "0 %"}, PROVIDER),
        (f"{lease}/abort", {"delivered": "0 %"}, PROVIDER),
        (f"{lease}/resolve", {}, BOTH),
        ("/sites", {"device": "1x H100 SXM", "metro": "N. Virginia"}, PROVIDER),
        (f"{site}/attest", attested, PROVIDER),
        ("/accounts/deposit", {"amount": "1"}, BOTH),
        ("/accounts/approve", {"amount": "1"}, BOTH),
        ("/accounts/withdraw", {"amount": "1", "to": OWNER}, BOTH),
        ("/accounts/transfer", sold | {"units": 1, "to": OWNER}, BOTH),
        ("/rounds/clear", sold | {"round": stage.round}, BOTH),
        ("/rounds/settle", sold | {"round": stage.round, "slots": [0]}, BOTH),
        ("/dispatch", {"jobs": [{"units": 1, "price": "0.01"}]}, BUYER),
    ]


def others(stage: Stage) -> dict[str, tuple[Callable[[dict[str, str]], Any], frozenset[str]]]:
    """What a key asks for besides, by name."""
    client = stage.client
    said = {"from_hour": 2**31, "to_hour": 2**31 + 1}
    ended = f"/sites/{stage.site}/maintenance/{HASH}/withdraw"
    return {
        "advance": (lambda who: client.post("/dispatch/999999/advance", headers=who), BUYER),
        "stop": (lambda who: client.post("/dispatch/999999/stop", headers=who), BUYER),
        "document": (lambda who: client.put(f"/jobs/{HASH}", content=DOCUMENT + b" ", headers=who), BUYER),
        "end document": (lambda who: client.delete(f"/jobs/{HASH}", headers=who), BUYER),
        "result": (lambda who: client.put(f"/leases/{stage.lease}/result", content=b"{}", headers=who), PROVIDER),
        "announce": (lambda who: client.post(f"/sites/{stage.site}/maintenance", json=said, headers=who), PROVIDER),
        "withdraw": (lambda who: client.post(ended, json={}, headers=who), PROVIDER),
    }


def key_of(stage: Stage, *scopes: str) -> dict[str, str]:
    """A key of an account of which the API keeps no secret: nothing can be signed with it."""
    allowed, now_s = frozenset({OWNER}), 0
    secret, _ = stage.services.accounts.add_key("scopes", frozenset(scopes), OWNER, 10**12, allowed, now_s)
    return {"Authorization": f"Bearer {secret}"}


def is_refused(response: Any) -> bool:
    """Whether a request is refused for the key's scopes."""
    refused: bool = response.status_code == 403 and "needs a key with scope" in response.json()["detail"]
    return refused


def test_every_write_is_here(stage: Stage) -> None:
    paths = stage.get("/openapi.json")["paths"]
    named = {
        path
        for path, verbs in paths.items()
        if any(one["name"] == "idempotency-key" for one in verbs.get("post", {}).get("parameters", ()))
    }
    tried = {
        path.replace(f"/{stage.lease}/", "/{n}/").replace(f"/{stage.site}/", "/{n}/") for path, *_ in writes(stage)
    }
    assert tried == named


@pytest.mark.parametrize("scopes", [(), ("read",), ("buyer",), ("provider",), ("buyer", "provider")], ids=str)
def test_a_key_does_what_its_scopes_say(stage: Stage, scopes: tuple[str, ...]) -> None:
    who = key_of(stage, *scopes)
    for path, body, wanted in writes(stage):
        # Without a name nothing is done, and that is told after all else that is wrong with the caller.
        response = stage.client.post(path, json=body, headers=who)
        assert response.status_code == (400 if wanted & set(scopes) else 403), (path, body, response.text)
        assert is_refused(response) != bool(wanted & set(scopes)), (path, body, response.text)
    for name, (ask, wanted) in others(stage).items():
        assert is_refused(ask(who)) != bool(wanted & set(scopes)), name


def test_nobody_has_anything_signed_and_is_told_so_before_what_is_wrong_with_the_rest(stage: Stage) -> None:
    wallet = stage.services.accounts.open_session(OWNER, 2**40, 60)
    for headers in ({}, {"Authorization": f"Bearer {wallet}"}):
        for path, body, _ in writes(stage):
            for sent in (body, {"nothing": "of it"}):
                if path == "/dispatch" and sent is not body:
                    continue
                response = stage.client.post(path, json=sent, headers=headers | {"Idempotency-Key": "x"})
                assert response.status_code == 401, (path, sent, response.text)
