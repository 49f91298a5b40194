"""The demo's door: its options, its defaults, and what it says where it cannot run."""

import pytest
from click.testing import CliRunner

from ledger.demo.main import chain_of, main
from ledger.errors import InputError
from tests.day import tiny_plan


def test_help_names_every_option() -> None:
    shown = CliRunner().invoke(main, ["--help"])
    assert shown.exit_code == 0
    for option in ("--chain", "--small", "--data", "--seed", "--json"):
        assert option in shown.output


def test_chain_of_raises_when_there_is_no_such_chain() -> None:
    with pytest.raises(InputError, match="moon"), chain_of("moon", tiny_plan()):
        pass
