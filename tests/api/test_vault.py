"""Keys of managed accounts: encrypted, only their owner's, and the same after a restart."""

import os
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
    assert Vault(folder).holds(made.address)
    assert not Vault(folder).holds("0x" + "1" * 40)


def test_nobody_else_reads_what_is_kept(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    Vault(folder).new()
    assert folder.stat().st_mode & 0o077 == 0
    assert {path.stat().st_mode & 0o077 for path in folder.iterdir()} == {0}
    assert len(list(folder.iterdir())) == 2


def test_of_two_that_begin_at_once_each_opens_what_the_other_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, real = tmp_path / "keys", Path.exists
    found: list[str] = []

    def exists(path: Path) -> bool:
        seen = real(path)
        if path.name == "passphrase" and not seen and not found:
            # Another process looked at the same moment, and was quicker.
            found.append("")
            found.append(Vault(folder).new().address)
        return seen

    monkeypatch.setattr(Path, "exists", exists)
    mine = Vault(folder).new().address
    theirs = found[-1]
    for address in (mine, theirs):
        assert Vault(folder).signer(address).address == address


def test_a_key_is_on_the_disk_before_anybody_pays_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, real = tmp_path / "keys", os.fsync
    synced: list[Path] = []

    def fsync(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink())
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    Vault(folder).new()
    assert [one.name.startswith("new-") for one in synced if one.suffix == ".json"] == [True]
    # The last is the folder, once the key has its name in it.
    assert synced[-1] == folder


@pytest.mark.parametrize("address", ["0x" + "1" * 40, "../../etc/passwd"])
def test_a_key_that_is_not_there_is_told(tmp_path: Path, address: str) -> None:
    with pytest.raises(BadKey):
        Vault(tmp_path).signer(address)
