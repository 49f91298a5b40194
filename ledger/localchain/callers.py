"""Who may ask the local chain: programs of this machine, and browser wallets; never a page of the web.

A page can make its reader's browser ask a loopback address. What gives it away is the `Origin` that browsers send, the
`Host` where its name was pointed here (DNS rebinding), or a kind of content for which a browser asks nobody's leave.
"""

import re
from collections.abc import Iterable

_LOOPBACK = r"(?:127\.0\.0\.1|localhost|\[::1\])(?::[0-9]{1,5})?"
_HOST = re.compile(_LOOPBACK)
# A browser wallet asks from a page of its own; the others' pages have no such scheme.
_ORIGIN = re.compile(rf"https?://{_LOOPBACK}|(?:chrome|moz|safari-web)-extension://[0-9a-z.-]+")
_JSON = re.compile(r"application/json(?:\s*;.*)?")


def why_not(headers: Iterable[tuple[bytes, bytes]]) -> tuple[int, str] | None:
    """The HTTP status and the reason why a request with these headers (names in lower case) is refused; None where it
    is let in."""
    named: dict[str, list[str]] = {}
    for name, value in headers:
        named.setdefault(name.decode("latin-1"), []).append(value.decode("latin-1").strip().lower())
    hosts, origins, kinds = (named.get(name, []) for name in ("host", "origin", "content-type"))
    if len(hosts) != 1 or not _HOST.fullmatch(hosts[0]):
        return 403, "This chain answers as 127.0.0.1, localhost or [::1] only. Ask it by one of these names."
    if not all(map(_ORIGIN.fullmatch, origins)):
        return 403, "This chain does not answer pages of the web. Ask it from a program of this machine or a wallet."
    if len(kinds) != 1 or not _JSON.fullmatch(kinds[0]):
        return 415, "A request's content-type is application/json. Send it with that header."
    return None
