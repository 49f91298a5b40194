"""As many open files as the system allows: each connection is one, and 1,024 of them, which is what a process begins
with on most systems, are opened by one caller in a moment."""

import resource
from contextlib import suppress

_ENOUGH = 65_536


def allow_files() -> int:
    """Raises how many files may be open as far as it goes; gives how many that is."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _ENOUGH if hard == resource.RLIM_INFINITY else min(hard, _ENOUGH)
    if soft != resource.RLIM_INFINITY and soft < most:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]
