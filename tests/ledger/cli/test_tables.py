"""A table on any terminal: every value whole, in some line that fits."""

from hypothesis import given
from hypothesis import strategies as st

from ledger.cli.tables import fitting_widths, spilled_lines

ADDRESS = "0x" + "ab" * 20
SITES = ("site", "devices", "device", "metro", "attested units", "grade", "valid until", "provider")
SITE = ("1", "64", "H100 SXM5 80GB", "Frankfurt", "64,000", "STANDARD", "2026-11-23 04:00 UTC", ADDRESS)

words = st.text("abc中", min_size=1, max_size=12)
cells = st.lists(words, min_size=0, max_size=9).map(" ".join)
tables = st.integers(1, 9).flatmap(
    lambda width: st.tuples(
        st.lists(words, min_size=width, max_size=width),
        st.lists(st.lists(cells, min_size=width, max_size=width), min_size=1, max_size=4),
    )
)


@given(tables, st.integers(20, 120))
def test_every_word_of_a_table_without_room_stands_in_it_once_and_whole(
    table: tuple[list[str], list[list[str]]], room: int
) -> None:
    header, rows = table
    lines = list(spilled_lines(header, rows, [False] * len(header), room))
    shown = [word for text, kind in lines if kind != "head" for word in text.split()]
    for row in rows:
        for word in (word for cell in row for word in cell.split()):
            assert word in shown, word


@given(tables, st.integers(20, 200))
def test_widths_that_fit_hold_every_word_and_fill_no_more_than_the_room(
    table: tuple[list[str], list[list[str]]], room: int
) -> None:
    header, rows = table
    widths = fitting_widths(header, rows, room)
    if widths is None:
        return
    assert sum(widths) + 3 * (len(widths) - 1) <= room
    for row in rows:
        assert all(len(word) <= width for cell, width in zip(row, widths, strict=True) for word in cell.split())


def test_what_has_no_room_stands_below_its_row_by_name() -> None:
    assert fitting_widths(SITES, [SITE], 80) is None
    lines = list(spilled_lines(SITES, [SITE, SITE], [True] * 2 + [False] * 6, 80))
    assert all(len(text) <= 80 for text, _ in lines)
    below = ["    valid until: 2026-11-23 04:00 UTC", f"    provider: {ADDRESS}"]
    assert [text for text, kind in lines if kind == "below"] == below * 2
    heads = [text for text, kind in lines if kind == "head"]
    assert (heads[0].split()[4], heads[1].split()) == ("attested", ["units"])


def test_sentences_wrap_and_nothing_else_does() -> None:
    reason = "the nearest site with capacity is 14 ms away, asked 10 ms, and nothing else is near"
    widths = fitting_widths(("job", "why", "units"), [("train", reason, "123,456,789")], 60)
    assert widths is not None
    assert (widths[0], widths[2]) == (5, 11)
    assert 24 <= widths[1] < len(reason)
