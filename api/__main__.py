"""`python -m api`: serves the app as the environment says."""

import sys

import uvicorn

from api.app import create_app, environment_settings
from api.files import allow_files
from api.heap import bound_heaps
from api.metrics import log_as_json
from api.wire import Http
from ledger import LedgerError

_PATIENCE_S = 3


def main() -> int:
    """Runs until it is interrupted; 1 where it cannot start."""
    bound_heaps()
    allow_files()
    try:
        settings = environment_settings()
        log_as_json()
        app = create_app(settings)
        # Streams never end by themselves: without a limit an open page would keep the process from ending.
        uvicorn.run(
            app,
            host=settings.host,
            port=settings.port,
            log_config=None,
            access_log=False,
            http=Http,
            timeout_graceful_shutdown=_PATIENCE_S,
        )
    except LedgerError as error:
        print(error, file=sys.stderr)  # noqa: T201 - whoever started it reads this
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
