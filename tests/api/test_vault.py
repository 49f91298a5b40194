"""Keys of managed accounts: encrypted, only their owner's, and the same after a restart."""

from pathlib import Path

import pytest

from api.vault import Vault
from ledger import BadKey


def test_a_key_is_found_again_after_a_restart(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    made = Vault(folder).new()
    found = Vault(folder).signer(made.address)
    assert found.address == made.address
    assert found.sign_digest(b"\x01" * 32) == made.sign_digest(b"\x01" * 32)
    assert Vault(folder).new().address != made.address


def test_nobody_else_reads_what_is_kept(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    Vault(folder).new()
    assert folder.stat().st_mode & 0o077 == 0
    assert {path.stat().st_mode & 0o077 for path in folder.iterdir()} == {0}
    assert len(list(folder.iterdir())) == 2


@pytest.mark.parametrize("address", ["0x" + "1" * 40, "../../etc/passwd"])
def test_a_key_that_is_not_there_is_told(tmp_path: Path, address: str) -> None:
    with pytest.raises(BadKey):
        Vault(tmp_path).signer(address)
