"""Whoever signs. The only file that sees a private key; nothing it makes shows one, in print or in an error."""

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_keys.datatypes import PrivateKey, Signature
from eth_keys.exceptions import BadSignature
from eth_utils.crypto import keccak
from eth_utils.exceptions import ValidationError

from ledger.codec import checksummed
from ledger.errors import BadKey, BadSetting
from ledger.settings import Secret, Settings, variable_of
from ledger.transactions import envelope_of, hash_of

secp256k1: ModuleType | None
try:
    import coincurve

    secp256k1 = coincurve
except ImportError:
    # It has no build for the newest Python at first: eth_keys does the same, much more slowly.
    secp256k1 = None

Account.enable_unaudited_hdwallet_features()

_MNEMONIC_PATH = "m/44'/60'/0'/0/{index}"


@dataclass(frozen=True, slots=True)
class SignedTransaction:
    """A transaction as it goes over the wire, and its hash (hex)."""

    raw: bytes
    hash: str


class Signer:
    """An account that can sign. Make one with the functions below."""

    __slots__ = ("_account", "_sign", "address")

    def __init__(self, account: LocalAccount) -> None:
        self._account = account
        self._sign = _signing_with(bytes(account.key))
        self.address: str = str(account.address)
        """Checksummed."""

    def __repr__(self) -> str:
        return f"Signer({self.address})"

    def __reduce__(self) -> str:
        raise TypeError("a signer cannot be pickled: that would write its key out")

    def sign_transaction(self, fields: Mapping[str, Any]) -> SignedTransaction:
        """Signs a transaction with web3's field names (`to`, `data`, `nonce`, `gas`, `maxFeePerGas`, …)."""
        envelope = envelope_of(fields)
        if envelope is None:
            signed = self._account.sign_transaction(dict(fields))
            raw = bytes(signed.raw_transaction)
        else:
            raw = envelope.signed(self._sign(envelope.digest))
        return SignedTransaction(raw, hash_of(raw))

    def sign_digest(self, digest: bytes) -> bytes:
        """65 bytes r, s, v over 32 bytes that the caller has made (EIP-712): never over what a stranger sends."""
        signature = self._sign(digest)
        return signature[:64] + bytes((signature[64] + 27,))


def recover(digest: bytes, signature: bytes) -> str | None:
    """The address that signed `digest`, or None where `signature` is none (65 bytes r, s, v; the lower s only)."""
    if len(signature) != 65 or signature[64] not in (27, 28) or int.from_bytes(signature[32:64]) > _HALF_ORDER:
        return None
    try:
        public = _public_key(digest, signature[:64] + bytes((signature[64] - 27,)))
    except (BadSignature, ValidationError, ValueError):
        return None
    return checksummed(keccak(public)[12:])


def _signing_with(key: bytes) -> Callable[[bytes], bytes]:
    """Signs 32 bytes: 65 bytes r, s, parity, the same each time (RFC 6979), with the lower s. The key stays inside."""
    if secp256k1 is None:
        slow = PrivateKey(key)
        return lambda digest: bytes(slow.sign_msg_hash(digest).to_bytes())
    fast = secp256k1.PrivateKey(key)
    return lambda digest: bytes(fast.sign_recoverable(digest, hasher=None))


def _public_key(digest: bytes, signature: bytes) -> bytes:
    """64 bytes."""
    if secp256k1 is None:
        return bytes(Signature(signature).recover_public_key_from_msg_hash(digest).to_bytes())
    public = secp256k1.PublicKey.from_signature_and_message(signature, digest, hasher=None)
    return bytes(public.format(compressed=False)[1:])


# Half of the order of secp256k1: contracts refuse the higher of the two equivalent values of s.
_HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0


def load_signer(settings: Settings) -> Signer:
    """The signer that the settings name. Raises BadSetting where they name none, BadKey where it cannot be read."""
    if settings.keystore is not None:
        return open_keystore(settings.keystore, _passphrase(settings))
    if settings.key_file is not None:
        return signer_from_key_file(settings.key_file)
    if settings.mnemonic_file is not None:
        return signer_from_mnemonic_file(settings.mnemonic_file, settings.account)
    raise BadSetting(
        variable_of("keystore"),
        "no key is named",
        f"Name a keystore there, or a file in {variable_of('key_file')} or {variable_of('mnemonic_file')}.",
    )


def signer_from_mnemonic(mnemonic: Secret, index: int = 0) -> Signer:
    """Account `index` of a mnemonic phrase, by the path that wallets use. Raises BadKey."""
    return _from_mnemonic(mnemonic, index, "the mnemonic")


def signer_from_mnemonic_file(path: Path, index: int = 0) -> Signer:
    """Account `index` of the phrase in a file that only its owner can read. Raises BadKey."""
    return _from_mnemonic(_private_text(path), index, str(path))


def signer_from_key_file(path: Path) -> Signer:
    """The raw private key, in hex, in a file that only its owner can read. Raises BadKey."""
    text = _private_text(path)
    try:
        return Signer(Account.from_key(text.reveal()))
    except Exception:
        # Whatever went wrong, its message may quote the key.
        raise BadKey(str(path), "it is no private key of 32 bytes in hex", "Name another file.") from None


def open_keystore(path: Path, passphrase: Secret) -> Signer:
    """The key in a keystore V3 file. Raises BadKey, also for a wrong passphrase."""
    text = _text(path)
    try:
        return Signer(Account.from_key(Account.decrypt(text, passphrase.reveal())))
    except Exception as error:
        wrong = "MAC mismatch" in str(error)
        why = "the passphrase does not open it" if wrong else "it is no keystore V3 file"
        remedy = "Check the passphrase." if wrong else "Make one with `compute-ledger key new`."
        raise BadKey(str(path), why, remedy) from None


def create_keystore(path: Path, passphrase: Secret) -> Signer:
    """Makes a new key and writes it, encrypted, to a new file that only its owner can read; it is on the disk when the
    signer is given.

    Raises BadKey where there is something already.
    """
    account = Account.create()
    record = json.dumps(Account.encrypt(account.key, passphrase.reveal()))
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise BadKey(str(path), "there is a file already, which may hold a key", "Choose another path.") from None
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(record + "\n")
        file.flush()
        os.fsync(file.fileno())
    sync_folder(path.parent)
    return Signer(account)


def sync_folder(folder: Path) -> None:
    """Has what was made or renamed in a folder on the disk: whatever gets money before that may be nobody's."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _from_mnemonic(mnemonic: Secret, index: int, source: str) -> Signer:
    path = _MNEMONIC_PATH.format(index=index)
    try:
        return Signer(Account.from_mnemonic(" ".join(mnemonic.reveal().split()), account_path=path))
    except Exception:
        # Whatever went wrong, its message may quote the phrase.
        raise BadKey(source, "it is no BIP-39 mnemonic phrase", "Check its words and their order.") from None


def _passphrase(settings: Settings) -> Secret:
    if settings.passphrase is not None:
        return settings.passphrase
    if settings.passphrase_file is not None:
        return _private_text(settings.passphrase_file)
    raise BadSetting(
        variable_of("passphrase_file"), "the keystore's passphrase is not given", "Name a file that holds it."
    )


def _private_text(path: Path) -> Secret:
    text = _text(path)
    if path.stat().st_mode & 0o077:
        raise BadKey(str(path), "others can read it", f"Run: chmod 600 {path}")
    return Secret(text.strip())


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise BadKey(str(path), error.strerror or "it cannot be read", "Name another file.") from None
    except UnicodeDecodeError:
        raise BadKey(str(path), "it is not text", "Name another file.") from None
