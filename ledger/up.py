"""The whole local market in one command, `scripts/run`: the chain behind its journal, a market on it, keeper, index,
API and page, and a stream of orders. Ended and started again, everything is there."""

import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from urllib.error import URLError
from urllib.request import urlopen

import click
from rich.console import Console as Terminal

from ledger.artifacts import Deployment, load_deployment
from ledger.chain import Chain, connect
from ledger.demo.live import TERMS, Live, live_plan, open_market
from ledger.demo.stage import accounts_needed
from ledger.errors import BadDeployment, InputError, LedgerError, Unavailable
from ledger.market import Market
from ledger.node import DEVELOPMENT_MNEMONIC
from ledger.sending.sender import Sender
from ledger.services import Service, Services
from ledger.settings import Settings, host_of, read_settings, variable_of
from ledger.units import SECONDS_PER_HOUR

ROOT = Path(__file__).resolve().parent.parent
PRELUDE_ROUNDS = 40
"""Rounds that a fresh market has behind it when it opens, so that its charts are not empty."""

_KEEPER_ACCOUNT, _API_ACCOUNT = 3, 0
_READY_S = 120.0


@dataclass(frozen=True, slots=True)
class Choices:
    """What the command was told: where things are kept, which ports, and whether the market begins empty."""

    folder: Path
    port: int
    node_port: int
    empty: bool
    rpc: str | None


class Up:
    """Starts everything in order, and says what it does. `environment` is what each process is given."""

    def __init__(
        self, choices: Choices, environment: Mapping[str, str], services: Services, say: Callable[[str], None]
    ):
        self._choices = choices
        self._services = services
        self._say = say
        folder = choices.folder
        self._url = choices.rpc or f"http://127.0.0.1:{choices.node_port}"
        defaults = {
            "rpc_url": self._url,
            "manifest": str(folder / "deployment.json"),
            "database": f"sqlite:///{folder / 'ledger.db'}",
        }
        given = {variable_of(name): value for name, value in defaults.items() if not environment.get(variable_of(name))}
        self._environment = {**environment, **given, variable_of("rpc_url"): self._url}
        self.settings: Settings = read_settings(self._environment)

    def start(self) -> str:
        """Gives the page's address. Raises InputError or Unavailable."""
        _require_free(self._choices.port, "--port")
        if self._choices.rpc is None:
            _require_free(self._choices.node_port, "--node-port")
            fresh = not (self._choices.folder / "chain").exists()
            behind_s = 0 if self._choices.empty else (PRELUDE_ROUNDS + 2) * TERMS.round_s
            self._start_node(*(["--start", str(int(time.time()) - behind_s)] if fresh else []))
            if fresh and behind_s:
                self._play_the_past()
        market = self._market()
        self._say(f"Market on chain {market.chain.chain_id}, deployed in block {market.deployment.block}")
        self._start("index", [*_program(), "index", "--follow"])
        self._start("keeper", [*_program(), "keeper", "--read-only-index"], self._key(_KEEPER_ACCOUNT))
        page = f"http://127.0.0.1:{self._choices.port}"
        named = {
            "port": str(self._choices.port),
            "services": "sender,dispatch",
            "keystores": str(self._choices.folder / "keystores"),
        }
        ours = {variable_of(f"api_{name}"): value for name, value in named.items()}
        more = {**self._key(_API_ACCOUNT), **ours}
        self._start("api", [sys.executable, "-m", "api"], more, lambda: _answers(f"{page}/health/ready"))
        if self._choices.rpc is None and not self._choices.empty:
            self._start("stream", [sys.executable, "-m", "ledger.demo.stream"])
        return page

    def hints(self) -> list[str]:
        """What to say to a shell, so that `compute-ledger` finds this market, with a key of its own that has gas."""
        named = {"rpc_url": self._url, "manifest": str(self.settings.manifest)}
        database = self.settings.database.reveal()
        if database.startswith("sqlite") and self.settings.database != Settings().database:
            named["database"] = database
        if self._choices.rpc is None:
            named |= {"mnemonic_file": str(self._choices.folder / "mnemonic"), "account": str(_accounts() - 1)}
        defaults = {"rpc_url": "http://127.0.0.1:8545", "manifest": str(Settings().manifest)}
        return [f"export {variable_of(name)}={value}" for name, value in named.items() if value != defaults.get(name)]

    # ---- the chain

    def _start_node(self, *options: str) -> Service:
        command = [*_program(), "node", "--folder", str(self._choices.folder / "chain")]
        command += ["--port", str(self._choices.node_port), "--accounts", str(_accounts()), *options]
        return self._start("node", command, {}, lambda: _serves(self._url))

    def _play_the_past(self) -> None:
        """A fresh chain begins a while ago, and is brought to the present by rounds that are played at once."""
        self._say(f"A fresh market: {PRELUDE_ROUNDS} rounds of real offers and bids are played first …")
        chain = connect(self._url)
        if chain.clock is None:
            raise InputError("The clock of this chain cannot be set.", "Start with --empty, or let it be anvil.")
        # From here on the chain's clock runs as far behind as it begins.
        chain.clock.go_to(chain.time_s() + 1)
        live = Live(self._market())
        live.furnish()
        live.prelude(PRELUDE_ROUNDS, int(time.time()))
        chain.clock.go_to(max(int(time.time()), chain.time_s() + 1))

    # ---- the market

    def _market(self) -> Market:
        chain = connect(self._url, self.settings.chain_id, self.settings.rpc_timeout_s)
        deployment = self._standing(chain)
        if deployment is None:
            if self._choices.rpc is not None:
                raise InputError(
                    f"There is no manifest {self.settings.manifest} of a market on the chain at {host_of(self._url)}.",
                    "Deploy one with `compute-ledger deploy`, or name its manifest in COMPUTE_LEDGER_MANIFEST.",
                )
            deployment = open_market(chain, Sender(chain), live_plan(chain.time_s() // SECONDS_PER_HOUR))
            deployment.write(self.settings.manifest)
        market = Market(chain, deployment, Sender(chain))
        market.check()
        return market

    def _standing(self, chain: Chain) -> Deployment | None:
        try:
            deployment = load_deployment(self.settings.manifest)
        except BadDeployment:
            return None
        known = deployment.chain_id == chain.chain_id and chain.code(deployment.address("Exchange"))
        return deployment if known else None

    # ---- processes

    def _start(
        self,
        name: str,
        command: list[str],
        more: Mapping[str, str] | None = None,
        ready: Callable[[], object] = lambda: True,
    ) -> Service:
        self._say(f"Starting the {name} …")
        log = self._choices.folder / "logs" / f"{name}.log"
        return self._services.start(Service(name, command, log, {**self._environment, **(more or {})}), ready, _READY_S)

    def _key(self, account: int) -> dict[str, str]:
        """The variables that name a development account's key, unless the owner named one."""
        named = any(self._environment.get(variable_of(name)) for name in ("keystore", "key_file", "mnemonic_file"))
        if named or self._choices.rpc is not None:
            return {}
        phrase = self._choices.folder / "mnemonic"
        if not phrase.exists():
            phrase.touch(mode=0o600)
            phrase.write_text(DEVELOPMENT_MNEMONIC + "\n", encoding="utf-8")
        return {variable_of("mnemonic_file"): str(phrase), variable_of("account"): str(account)}


def _program() -> list[str]:
    return [str(Path(sys.executable).with_name("compute-ledger"))]


def _accounts() -> int:
    return accounts_needed(live_plan(int(time.time()) // SECONDS_PER_HOUR)) + 8


def _require_free(port: int, option: str) -> None:
    """Raises InputError for a port that somebody listens on."""
    with socket.socket() as door:
        # As servers do: a port that was theirs a moment ago is free.
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            door.bind(("127.0.0.1", port))
        except OSError:
            raise InputError(
                f"Port {port} is taken: is the market running already?", f"End that, or name another with {option}."
            ) from None


def _serves(url: str) -> bool:
    with suppress(LedgerError):
        connect(url)
        return True
    return False


def _answers(url: str) -> bool:
    try:
        with urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except (URLError, OSError):
        return False


@click.command(context_settings={"max_content_width": 100})
@click.option("--empty", is_flag=True, help="A market without demo providers and orders.")
@click.option("--rpc", help="Join the chain at this JSON-RPC address instead of a local one.")
@click.option("--database", help="PostgreSQL or SQLite by URL. A password belongs in COMPUTE_LEDGER_DATABASE instead.")
@click.option("--port", type=click.IntRange(1, 65_535), default=8000, show_default=True, help="The page's.")
@click.option("--node-port", type=click.IntRange(1, 65_535), default=8545, show_default=True, help="The chain's.")
@click.option("--folder", type=click.Path(file_okay=False, path_type=Path), default=Path("run"), show_default=True)
def main(database: str | None, **chosen: object) -> None:
    """Starts the whole local market, and ends it on Ctrl-C. Started again, everything is there."""
    terminal = Terminal(highlight=False)
    stop = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    choices = Choices(**chosen)  # type: ignore[arg-type]
    environment = dict(os.environ) | ({variable_of("database"): database} if database else {})
    try:
        with Services(lambda text: terminal.print(text, style="yellow")) as services:
            up = Up(choices, environment, services, lambda text: terminal.print(text, style="dim"))
            page = up.start()
            terminal.print(f"\n[bold]The market is open: {page}[/]\n", soft_wrap=True)
            terminal.print("The command line beside it, with a key that has gas:")
            for line in (*up.hints(), ".venv/bin/compute-ledger --help"):
                terminal.print(f"  {line}", soft_wrap=True)
            terminal.print(
                f"\nWhat each part prints is in {choices.folder / 'logs'}. Ctrl-C ends everything; started again,"
            )
            terminal.print("everything is there.")
            services.watch(stop)
            terminal.print("Closing …")
    except LedgerError as error:
        terminal.print(f"[bold red]{error.problem}[/]\n{error.remedy}", soft_wrap=True)
        sys.exit(3 if isinstance(error, Unavailable) else 2)


if __name__ == "__main__":
    main()
