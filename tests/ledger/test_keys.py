"""Keys open, sign and are refused, and never show themselves."""

import json
import pickle
import stat
from pathlib import Path

import pytest
from eth_account import Account
from eth_keys.constants import SECPK1_N
from eth_keys.datatypes import Signature
from eth_keys.exceptions import BadSignature
from eth_utils.exceptions import ValidationError
from hypothesis import given
from hypothesis import strategies as st

from ledger import (
    DEVELOPMENT_MNEMONIC,
    BadKey,
    BadSetting,
    Secret,
    Settings,
    Signer,
    create_keystore,
    keys,
    load_signer,
    open_keystore,
    signer_from_key_file,
    signer_from_mnemonic,
    signer_from_mnemonic_file,
)
from ledger.keys import recover

KEY = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
ADDRESS = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
SIGNER = signer_from_mnemonic(Secret(DEVELOPMENT_MNEMONIC))


def private_file(folder: Path, text: str) -> Path:
    path = folder / "secret"
    path.write_text(text)
    path.chmod(0o600)
    return path


def test_mnemonic_and_raw_key_are_the_same_account(tmp_path: Path) -> None:
    assert SIGNER.address == ADDRESS
    assert signer_from_key_file(private_file(tmp_path, KEY + "\n")).address == ADDRESS
    assert signer_from_mnemonic_file(private_file(tmp_path, f" {DEVELOPMENT_MNEMONIC}\n")).address == ADDRESS
    assert signer_from_mnemonic(Secret(DEVELOPMENT_MNEMONIC), 1).address != ADDRESS


def test_keystore_is_written_for_its_owner_alone_and_opens_with_its_passphrase(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "key.json"
    made = create_keystore(path, Secret("open sesame"))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert json.loads(path.read_text())["version"] == 3
    assert open_keystore(path, Secret("open sesame")).address == made.address
    with pytest.raises(BadKey, match="the passphrase does not open it"):
        open_keystore(path, Secret("open barley"))
    before = path.read_bytes()
    with pytest.raises(BadKey, match="there is a file already"):
        create_keystore(path, Secret("another"))
    assert path.read_bytes() == before


@pytest.mark.parametrize("text", ["", "0x1234", "not a key", KEY + "00", "0x" + "0" * 64, f"0x{SECPK1_N:x}"])
def test_text_that_is_no_key_is_refused_unseen(tmp_path: Path, text: str) -> None:
    with pytest.raises(BadKey) as refused:
        signer_from_key_file(private_file(tmp_path, text))
    assert not text or text not in str(refused.value)
    assert refused.value.__suppress_context__


def test_phrase_that_is_none_is_refused_unseen(tmp_path: Path) -> None:
    with pytest.raises(BadKey) as refused:
        signer_from_mnemonic_file(private_file(tmp_path, "correct horse battery staple"))
    assert "horse" not in str(refused.value)


def test_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = private_file(tmp_path, KEY)
    path.chmod(0o640)
    with pytest.raises(BadKey, match="chmod 600"):
        signer_from_key_file(path)


def test_file_that_is_missing_or_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadKey, match="No such file"):
        signer_from_key_file(tmp_path / "nothing")
    path = private_file(tmp_path, "")
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(BadKey, match="not text"):
        signer_from_key_file(path)
    with pytest.raises(BadKey, match="no keystore V3 file"):
        open_keystore(private_file(tmp_path, "{}"), Secret("x"))


def test_signer_shows_its_address_only(tmp_path: Path) -> None:
    shown = f"{SIGNER!r} {SIGNER} {[SIGNER]}"
    assert ADDRESS in shown
    assert KEY[2:] not in shown
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(SIGNER)


def test_settings_name_the_signer(tmp_path: Path) -> None:
    phrase = private_file(tmp_path, DEVELOPMENT_MNEMONIC)
    assert load_signer(Settings(mnemonic_file=phrase)).address == ADDRESS
    second = signer_from_mnemonic(Secret(DEVELOPMENT_MNEMONIC), 2).address
    assert load_signer(Settings(mnemonic_file=phrase, account=2)).address == second
    with pytest.raises(BadSetting, match="no key is named"):
        load_signer(Settings())
    with pytest.raises(BadSetting, match="passphrase is not given"):
        load_signer(Settings(keystore=tmp_path / "key.json"))


def test_settings_open_a_keystore_with_a_passphrase_or_its_file(tmp_path: Path) -> None:
    path = tmp_path / "key.json"
    address = create_keystore(path, Secret("open sesame")).address
    assert load_signer(Settings(keystore=path, passphrase=Secret("open sesame"))).address == address
    passphrase_file = private_file(tmp_path, "open sesame\n")
    assert load_signer(Settings(keystore=path, passphrase_file=passphrase_file)).address == address
    key_file = tmp_path / "raw"
    key_file.write_text(KEY)
    key_file.chmod(0o600)
    assert load_signer(Settings(key_file=key_file)).address == ADDRESS


@given(st.binary(min_size=32, max_size=32))
def test_recover_names_who_signed(digest: bytes) -> None:
    assert recover(digest, SIGNER.sign_digest(digest)) == ADDRESS


@given(st.binary(min_size=32, max_size=32), st.integers(0, 64), st.integers(1, 255))
def test_changed_signature_is_nobodys_or_anothers(digest: bytes, place: int, change: int) -> None:
    signature = bytearray(SIGNER.sign_digest(digest))
    signature[place] ^= change
    assert recover(digest, bytes(signature)) != ADDRESS


def test_higher_s_is_refused_as_the_contracts_refuse_it() -> None:
    digest = b"\x07" * 32
    signature = SIGNER.sign_digest(digest)
    twin = (SECPK1_N - int.from_bytes(signature[32:64])).to_bytes(32)
    assert recover(digest, signature[:32] + twin + bytes([55 - signature[64]])) is None
    assert recover(digest, signature[:64]) is None


@given(st.binary(min_size=32, max_size=32), st.integers(1, SECPK1_N - 1))
def test_signature_is_what_eth_account_makes(digest: bytes, number: int) -> None:
    """The same bytes each time (RFC 6979), whoever computes them."""
    account = Account.from_key(number.to_bytes(32))
    signature = Signer(account).sign_digest(digest)
    assert signature == bytes(account.unsafe_sign_hash(digest).signature)
    assert recover(digest, signature) == account.address


@given(st.binary(min_size=65, max_size=65), st.binary(min_size=31, max_size=33))
def test_any_bytes_are_a_signature_as_eth_keys_says(parts: bytes, digest: bytes) -> None:
    lower = bytes(1) + parts[33:64]
    signature = parts[:32] + lower + bytes([27 + parts[64] % 2])
    try:
        public = Signature(signature[:64] + bytes([parts[64] % 2])).recover_public_key_from_msg_hash(digest)
        expected: str | None = public.to_checksum_address()
    except (BadSignature, ValidationError):
        expected = None
    assert recover(digest, signature) == expected


def test_without_coincurve_the_same_is_signed_and_recovered(monkeypatch: pytest.MonkeyPatch) -> None:
    fields = {"type": 2, "chainId": 1, "nonce": 3, "gas": 9, "maxFeePerGas": 2, "maxPriorityFeePerGas": 1, "value": 0}
    fast = SIGNER.sign_digest(b"\x07" * 32), SIGNER.sign_transaction(fields | {"data": b"\x01"})
    monkeypatch.setattr(keys, "secp256k1", None)
    slow = signer_from_mnemonic(Secret(DEVELOPMENT_MNEMONIC))
    assert (slow.sign_digest(b"\x07" * 32), slow.sign_transaction(fields | {"data": b"\x01"})) == fast
    assert recover(b"\x07" * 32, fast[0]) == ADDRESS
    assert recover(b"\x07" * 32, bytes(64) + b"\x1b") is None


def test_nothing_to_sign_but_32_bytes() -> None:
    with pytest.raises(ValueError, match="32"):
        SIGNER.sign_digest(b"too short")


def test_signed_transaction_is_the_signers() -> None:
    fields = {
        "type": 2,
        "chainId": 1,
        "nonce": 0,
        "gas": 21_000,
        "maxFeePerGas": 2,
        "maxPriorityFeePerGas": 1,
        "value": 0,
        "to": ADDRESS,
        "data": b"",
    }
    signed = SIGNER.sign_transaction(fields)
    assert Account.recover_transaction(signed.raw) == ADDRESS
    assert len(signed.hash) == 66
