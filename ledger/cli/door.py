"""The outermost group: shows the commands by who needs them, and ends with a sentence where something went wrong."""

from collections.abc import Mapping
from typing import Any

import click

from ledger.cli.console import Console
from ledger.cli.session import Session
from ledger.errors import LedgerError

INTERRUPTED = 130
"""The exit code that shells expect of what Ctrl-C ended."""

SECTIONS: Mapping[str, str] = {
    "Look up": "products price depth orders balance sites lease standard areas units settings",
    "Buy and use": "faucet deposit withdraw approve bid ask dispatch submit redeem accept dispute transfer collect",
    "Provide": "site measure offer agent report abort mint retire split merge relax",
    "Check": "audit outbox",
    "Sign orders for others to relay": "sign queue revoke relay",
    "Keep a market going": "clear settle resolve expire keeper index node deploy govern rule",
    "Set up": "key completion",
}
"""Every command, by who needs it; in each section in the order in which one comes to it."""


class Door(click.Group):
    """Ends with a sentence and an exit code where something with a name went wrong."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except LedgerError as error:
            as_json = isinstance(ctx.obj, Session) and ctx.obj.as_json
            ctx.exit(Console(as_json).error(error))
        except KeyboardInterrupt:
            click.echo(f"\n{_stopped(ctx.obj)}", err=True)
            ctx.exit(INTERRUPTED)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Whole sentences, which wrap: half of one says nothing."""
        for title, names in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(name, _first_sentence(self.commands[name])) for name in names.split()])


def _stopped(session: object) -> str:
    """What Ctrl-C leaves behind."""
    if isinstance(session, Session) and session.sends and not (session.preview or session.build):
        return "Stopped. What was sent by then takes its course: `compute-ledger outbox list` has it."
    return "Stopped. Nothing was sent."


def _first_sentence(command: click.Command) -> str:
    text = command.get_short_help_str(limit=1_000)
    return text if text.endswith((".", "…")) else f"{text}."
