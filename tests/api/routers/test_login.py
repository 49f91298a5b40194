"""A wallet signs in once with each nonce."""

import pytest
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from api.auth import now_s
from api.siwe import SESSION_S
from ledger import Signer
from tests.api.stage import Stage
from tests.world import BUYER, SELLER


def personal_sign(text: str, signer: Signer) -> str:
    message = text.encode()
    framed = b"\x19Ethereum Signed Message:\n" + str(len(message)).encode() + message
    return "0x" + signer.sign_digest(keccak(framed)).hex()


def begin(stage: Stage, signer: Signer = BUYER) -> dict[str, str]:
    message = stage.get("/login/nonce", address=signer.address)["message"]
    return {"message": message, "signature": personal_sign(message, signer)}


def test_a_wallet_signs_in_and_is_known(stage: Stage) -> None:
    session = stage.post("/login", begin(stage)).json()
    assert session["address"] == BUYER.address
    assert abs(session["expires_s"] - now_s() - SESSION_S) < 120
    lives = stage.services.accounts.session_of
    assert lives(session["token"], session["expires_s"] - 1) == BUYER.address
    assert lives(session["token"], session["expires_s"]) is None
    who = stage.client.get("/login", headers={"Authorization": f"Bearer {session['token']}"}).json()
    assert who == {"address": BUYER.address, "key_id": None, "scopes": [], "admin": False}
    preview = stage.post("/accounts/withdraw/preview", {"amount": "1", "to": BUYER.address}, key=session["token"])
    assert preview.json()["body"]["owner"] == BUYER.address


def test_a_login_cannot_be_replayed(stage: Stage) -> None:
    said = begin(stage)
    assert stage.post("/login", said).status_code == 200
    assert stage.post("/login", said).status_code == 401


def test_a_wrong_signature_uses_the_nonce_up(stage: Stage) -> None:
    said = begin(stage)
    wrong = said | {"signature": personal_sign(said["message"], SELLER)}
    assert stage.post("/login", wrong).status_code == 401
    assert stage.post("/login", said).status_code == 401


def test_a_login_for_another_place_is_refused(stage: Stage) -> None:
    said = begin(stage)
    host = f"{stage.client.base_url.host}:{stage.client.base_url.port}"
    text = said["message"].replace(host, "evil.example")
    assert stage.post("/login", {"message": text, "signature": personal_sign(text, BUYER)}).status_code == 401


def test_a_session_that_never_was_is_told(stage: Stage) -> None:
    response = stage.client.get("/login", headers={"Authorization": "Bearer cs_nothing"})
    assert (response.status_code, response.headers["www-authenticate"]) == (401, "Bearer")


def test_a_session_signs_nothing_here(stage: Stage) -> None:
    token = stage.post("/login", begin(stage)).json()["token"]
    response = stage.post("/accounts/deposit", {"amount": "1"}, key=token, Idempotency_Key="session")
    assert response.status_code == 401


# A wallet that is a contract: it says yes to whatever bytes, no to whatever, or reverts.
_YES = "0x631626ba7e60e01b60005260206000f3"
_NO = "0x63ffffffff60e01b60005260206000f3"
_REVERTS = "0x60006000fd"


@pytest.mark.parametrize(("code", "status"), [(_YES, 200), (_NO, 401), (_REVERTS, 401), ("0x", 401)])
def test_a_wallet_that_is_a_contract_signs_in_by_its_own_rule(stage: Stage, code: str, status: int) -> None:
    address = to_checksum_address("0x" + f"{len(code):040x}")
    stage.world.chain.request("anvil_setCode", address, code)
    for signature in ("0x" + "ab" * 65, "0x" + "cd" * 200):
        message = stage.get("/login/nonce", address=address)["message"]
        response = stage.post("/login", {"message": message, "signature": signature})
        assert response.status_code == status, response.text
        if status == 200:
            token = response.json()["token"]
            who = stage.client.get("/login", headers={"Authorization": f"Bearer {token}"}).json()
            assert who["address"] == address
