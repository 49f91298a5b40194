"""The list of commands: each is in it once, under the head of who needs it."""

from ledger.cli.door import SECTIONS
from ledger.cli.main import main
from tests.ledger.conftest import Shell


def test_every_command_stands_in_one_section() -> None:
    named = [name for names in SECTIONS.values() for name in names.split()]
    assert sorted(named) == sorted(main.commands)


def test_help_says_whole_sentences_under_the_sections(bare_shell: Shell) -> None:
    shown = bare_shell("--help").out
    assert all(f"{title}:" in shown for title in SECTIONS)
    assert "..." not in shown.partition("Look up:")[2]
    assert shown.index("Look up:") < shown.index("  products ") < shown.index("Buy and use:") < shown.index("  bid ")
