"""Sign-in with Ethereum (EIP-4361): a message that a wallet shows and signs, read and held against what was asked.

Written by hand because the package for it wants an older web3; the grammar is small, and what it allows and we never
ask for is refused.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from eth_utils.address import is_checksum_address
from eth_utils.crypto import keccak

from api.errors import NotAuthenticated
from ledger import recover

LIFE_S = 300
"""How long a nonce waits for its signature."""
SESSION_S = 12 * 3_600
STATEMENT = "Sign in to Compute Ledger. This costs nothing and moves nothing."
_LENGTH_MAX = 2_000

_MESSAGE = re.compile(
    r"(?:(?P<scheme>https?)://)?(?P<domain>[^\s/?#@]{1,255}) wants you to sign in with your Ethereum account:\n"
    r"(?P<address>0x[0-9a-fA-F]{40})\n\n"
    r"(?:(?P<statement>[^\n]{1,500})\n)?\n"
    r"URI: (?P<uri>[^\s]{1,500})\n"
    r"Version: 1\n"
    r"Chain ID: (?P<chain_id>[0-9]{1,20})\n"
    r"Nonce: (?P<nonce>[0-9a-zA-Z]{8,64})\n"
    r"Issued At: (?P<issued>\S{1,40})"
    r"(?:\nExpiration Time: (?P<expires>\S{1,40}))?"
    r"(?:\nNot Before: (?P<not_before>\S{1,40}))?"
    r"(?:\nRequest ID: \S{0,100})?"
)


@dataclass(frozen=True, slots=True)
class Login:
    """What a message says; times in seconds since the epoch, None where they are not said."""

    domain: str
    address: str
    uri: str
    chain_id: int
    nonce: str
    issued_s: int
    expires_s: int | None
    not_before_s: int | None


def read_message(text: str) -> Login:
    """What a sign-in message says. Raises NotAuthenticated for a text that is none."""
    match = _MESSAGE.fullmatch(text) if len(text) <= _LENGTH_MAX else None
    if match is None or not is_checksum_address(match["address"]):
        raise _refusal("it is no EIP-4361 message with a checksummed address")
    expires, not_before = match["expires"], match["not_before"]
    return Login(
        domain=match["domain"],
        address=match["address"],
        uri=match["uri"],
        chain_id=int(match["chain_id"]),
        nonce=match["nonce"],
        issued_s=_time_s(match["issued"]),
        expires_s=_time_s(expires) if expires else None,
        not_before_s=_time_s(not_before) if not_before else None,
    )


def check_login(login: Login, *, domain: str, chain_id: int, now_s: int) -> None:
    """Raises NotAuthenticated unless the message was written for this place, this chain and this time."""
    reasons = (
        (login.domain != domain, f"it is for {login.domain}, not for {domain}"),
        (not re.match(rf"https?://{re.escape(domain)}(?:[/?#]|$)", login.uri), "its URI is of another place"),
        (login.chain_id != chain_id, f"it is for chain {login.chain_id}, not for {chain_id}"),
        (login.issued_s > now_s + LIFE_S or login.issued_s < now_s - LIFE_S, "it was not issued just now"),
        (login.expires_s is not None and login.expires_s <= now_s, "it has expired"),
        (login.not_before_s is not None and login.not_before_s > now_s, "it is not good yet"),
    )
    for wrong, why in reasons:
        if wrong:
            raise _refusal(why)


def check_signature(
    text: str, signature: str, address: str, by_contract: Callable[[str, bytes, bytes], bool] | None = None
) -> None:
    """Raises NotAuthenticated unless the key of `address` signed the message as a wallet's personal_sign does, or the
    contract at `address` says that it did (`by_contract`, asked of address, digest and signature: ERC-1271)."""
    message, said = text.encode(), bytes.fromhex(signature.removeprefix("0x"))
    digest = keccak(b"\x19Ethereum Signed Message:\n" + str(len(message)).encode() + message)
    by_key = recover(digest, said) == address
    if not by_key and not (by_contract is not None and by_contract(address, digest, said)):
        raise _refusal("its signature is not of the account it names")


def write_message(login: Login) -> str:
    """The message for a wallet to sign; `read_message` undoes it."""
    moments = [f"Issued At: {_moment(login.issued_s)}"]
    if login.expires_s is not None:
        moments.append(f"Expiration Time: {_moment(login.expires_s)}")
    return "\n".join(
        (
            f"{login.domain} wants you to sign in with your Ethereum account:",
            login.address,
            "",
            STATEMENT,
            "",
            f"URI: {login.uri}",
            "Version: 1",
            f"Chain ID: {login.chain_id}",
            f"Nonce: {login.nonce}",
            *moments,
        )
    )


def _refusal(why: str) -> NotAuthenticated:
    return NotAuthenticated(f"The sign-in is refused: {why}.", "Ask for /login/nonce, and sign what it gives at once.")


def _time_s(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise _refusal(f"{text!r} is no time") from None
    if moment.tzinfo is None:
        raise _refusal(f"{text!r} has no time zone")
    return int(moment.timestamp())


def _moment(time_s: int) -> str:
    return datetime.fromtimestamp(time_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
