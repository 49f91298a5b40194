"""Every row says where it came from, and all that changes can be put back."""

from sqlalchemy import Table

from ledger.store import tables as t
from ledger.store.engine import metadata


def test_states_say_which_log_made_them() -> None:
    for table in t.STATES:
        assert {"block", "log_index"} <= set(table.c.keys()), table.name


def test_every_table_of_the_history_is_added_to_or_put_back() -> None:
    """A table that is in neither list would keep what a replaced block wrote."""
    ours = {one for one in vars(t).values() if isinstance(one, Table)}
    assert ours == {*t.STATES, *t.ADDED, t.HISTORY, t.UNDO}
    assert ours <= set(metadata.tables.values())


def test_names_fit_the_journal() -> None:
    assert all(len(table.name) <= 20 for table in t.STATES)
