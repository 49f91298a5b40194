"""The keys of managed accounts: one keystore file each, in a folder that only its owner can read."""

import os
from contextlib import suppress
from pathlib import Path
from secrets import token_urlsafe
from threading import Lock

from ledger import BadKey, Secret, Signer, create_keystore, open_keystore, sync_folder

_PASSPHRASE = "passphrase"


class Vault:
    """Makes and opens the keys of managed accounts. Opened keys stay open: to open one takes a second by design."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open: dict[str, Signer] = {}
        self._lock = Lock()

    def new(self) -> Signer:
        """A new key, kept encrypted. Raises BadKey where it cannot be written."""
        with self._lock:
            unnamed = self._folder / f"new-{token_urlsafe(8)}.json"
            signer = create_keystore(unnamed, self._passphrase())
            unnamed.rename(self._path(signer.address))
            sync_folder(self._folder)
            self._open[signer.address] = signer
            return signer

    def holds(self, address: str) -> bool:
        """Whether the key of an address is here."""
        return address in self._open or self._path(address).is_file()

    def signer(self, address: str) -> Signer:
        """The key of an address. Raises BadKey where the vault has none."""
        found = self._open.get(address)
        if found is None:
            with self._lock:
                found = self._open.setdefault(address, open_keystore(self._path(address), self._passphrase()))
        return found

    def _path(self, address: str) -> Path:
        return self._folder / f"{address}.json"

    def _passphrase(self) -> Secret:
        """The folder's passphrase, made with the first key."""
        path = self._folder / _PASSPHRASE
        if not path.exists():
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            fresh = self._folder / f".{_PASSPHRASE}.{token_urlsafe(8)}"
            descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(token_urlsafe(32))
                file.flush()
                os.fsync(file.fileno())
            # Of two processes that begin at once the first names it: another's keys may be closed with it already.
            with suppress(FileExistsError):
                os.link(fresh, path)
            fresh.unlink()
            sync_folder(self._folder)
        try:
            return Secret(path.read_text(encoding="utf-8").strip())
        except OSError as error:
            raise BadKey(str(path), error.strerror or "it cannot be read", "Check the folder's owner.") from None
