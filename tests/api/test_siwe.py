"""Sign-in: the message that was asked for, signed by whom it names, once, here and now."""

from dataclasses import replace

import pytest
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st

from api.errors import NotAuthenticated
from api.siwe import LIFE_S, Login, check_login, check_signature, read_message, write_message
from ledger import Signer
from tests.world import BUYER, SELLER

LOGIN = Login("market.example:8000", BUYER.address, "http://market.example:8000/", 31337, "0123456789abcdef", 1_000_000, 1_000_300, None)  # fmt: skip # noqa: E501


def personal_sign(text: str, signer: Signer) -> str:
    message = text.encode()
    framed = b"\x19Ethereum Signed Message:\n" + str(len(message)).encode() + message
    return "0x" + signer.sign_digest(keccak(framed)).hex()


@given(
    nonce=st.from_regex(r"[0-9a-zA-Z]{8,64}", fullmatch=True), chain=st.integers(0, 2**60), now=st.integers(0, 2**32)
)
def test_a_message_is_read_as_it_was_written(nonce: str, chain: int, now: int) -> None:
    login = replace(LOGIN, nonce=nonce, chain_id=chain, issued_s=now, expires_s=now + 5)
    assert read_message(write_message(login)) == login


@given(text=st.text(max_size=300))
def test_what_is_no_message_is_refused(text: str) -> None:
    with pytest.raises(NotAuthenticated):
        read_message(text)


def test_the_message_of_a_wallet_library_is_read() -> None:
    text = (
        "https://market.example wants you to sign in with your Ethereum account:\n"
        f"{BUYER.address}\n\n\nURI: https://market.example/login\nVersion: 1\nChain ID: 1\nNonce: abcdefgh\n"
        "Issued At: 2026-01-01T00:00:00.000Z\nNot Before: 2026-01-01T00:00:00+00:00"
    )
    login = read_message(text)
    assert (login.domain, login.nonce, login.not_before_s, login.expires_s) == (
        "market.example",
        "abcdefgh",
        1_767_225_600,
        None,
    )


@pytest.mark.parametrize(
    "old_and_new",
    [
        (BUYER.address, BUYER.address.lower()),
        ("Version: 1", "Version: 2"),
        ("Nonce: 0123456789abcdef", "Nonce: short"),
        ("Issued At: 1970-01-12T13:46:40Z", "Issued At: yesterday"),
        ("Issued At: 1970-01-12T13:46:40Z", "Issued At: 1970-01-12T13:46:40"),
        ("\nURI", "\nResources:\n- x\nURI"),
    ],
)
def test_a_message_that_says_something_else_is_refused(old_and_new: tuple[str, str]) -> None:
    text = write_message(LOGIN)
    assert old_and_new[0] in text
    with pytest.raises(NotAuthenticated):
        read_message(text.replace(*old_and_new))


def test_a_login_is_good_here_and_now() -> None:
    check_login(LOGIN, domain="market.example:8000", chain_id=31337, now_s=1_000_100)


@pytest.mark.parametrize(
    "wrong",
    [
        replace(LOGIN, domain="evil.example"),
        replace(LOGIN, domain="not-market.example:8000"),
        replace(LOGIN, uri="http://market-example:8000/"),
        replace(LOGIN, uri="http://evil.example/"),
        replace(LOGIN, uri="http://market.example:8000.evil.example/"),
        replace(LOGIN, chain_id=1),
        replace(LOGIN, issued_s=1_000_100 - LIFE_S - 1),
        replace(LOGIN, issued_s=1_000_100 + LIFE_S + 1),
        replace(LOGIN, expires_s=1_000_100),
        replace(LOGIN, not_before_s=1_000_101),
    ],
)
def test_a_login_for_elsewhere_or_another_time_is_refused(wrong: Login) -> None:
    with pytest.raises(NotAuthenticated):
        check_login(wrong, domain="market.example:8000", chain_id=31337, now_s=1_000_100)


def test_only_its_owner_signs_a_message() -> None:
    text = write_message(LOGIN)
    check_signature(text, personal_sign(text, BUYER), BUYER.address)
    for signature in (personal_sign(text, SELLER), personal_sign(text + " ", BUYER), "0x" + "00" * 65):
        with pytest.raises(NotAuthenticated):
            check_signature(text, signature, BUYER.address)
