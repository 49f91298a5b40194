"""How a table fits a terminal: whole, with its sentences wrapped, or with what finds no room in a line below its row.

Nothing that was a number, a name or a hash is ever broken in two: half of it would be another one.
"""

from collections.abc import Iterator, Sequence
from itertools import zip_longest
from textwrap import wrap

from rich.cells import cell_len, set_cell_size

SENTENCE_LEAST = 24
"""A column of sentences is legible from this width on; it wraps at words."""

_GAP, _BELOW = "  ", "    "
_RULE = 3
"""What rich puts between two columns."""

Rows = Sequence[Sequence[str]]


def fitting_widths(header: Sequence[str], rows: Rows, room: int) -> list[int] | None:
    """Each column's width in a table of `room` letters, sentences wrapped where they must be; None where it is too
    narrow for the rest."""
    natural = [_natural(header, rows, place) for place in range(len(header))]
    least = [
        min(width, SENTENCE_LEAST) if _is_prose(rows, place) else _least(header, rows, place)
        for place, width in enumerate(natural)
    ]
    spare = room - _RULE * (len(header) - 1) - sum(least)
    if spare < 0:
        return None
    widths = list(least)
    # Who wants little more gets it first.
    for place in sorted(range(len(header)), key=lambda one: natural[one] - least[one]):
        more = min(spare, natural[place] - least[place])
        widths[place] += more
        spare -= more
    return widths


def spilled_lines(
    header: Sequence[str], rows: Rows, to_the_right: Sequence[bool], room: int
) -> Iterator[tuple[str, str]]:
    """Lines, each with what it is ("head", "row" or "below"): as many columns as there is room for, in their order; the
    others below each row, by name."""
    inside = _columns_with_room(header, rows, room)
    widths = {place: _least(header, rows, place) for place in inside}

    def line(cells: Sequence[str]) -> str:
        parts = [_aligned(cells[place], widths[place], to_the_right[place]) for place in inside]
        return _GAP.join(parts).rstrip()

    names = (_wrapped_name(name, widths[place]) if place in widths else [] for place, name in enumerate(header))
    for each in zip_longest(*names, fillvalue=""):
        yield line(each), "head"
    outside = [place for place in range(len(header)) if place not in widths]
    for row in rows:
        yield line(row), "row"
        for text in _below(header, row, outside, room):
            yield text, "below"


def record_lines(facts: Sequence[tuple[str, str]], room: int) -> Iterator[tuple[str, str]]:
    """Facts, each as its name (padded, so that the values stand below one another) and a line of its value; sentences
    go on below, without the name."""
    width = max((cell_len(name) for name, _ in facts), default=0)
    for name, value in facts:
        first, *more = _wrapped(value, room - width - 3) or [""]
        yield set_cell_size(name, width), first
        yield from ((" " * width, line) for line in more)


def _columns_with_room(header: Sequence[str], rows: Rows, room: int) -> list[int]:
    found, used = [0], _least(header, rows, 0)
    for place in range(1, len(header)):
        width = len(_GAP) + _least(header, rows, place)
        if not _is_prose(rows, place) and used + width <= room:
            found.append(place)
            used += width
    return found


def _below(header: Sequence[str], row: Sequence[str], outside: Sequence[int], room: int) -> Iterator[str]:
    """What stands in no column, in as few lines as hold it; a name stays with its value."""
    line = ""
    for part in (f"{header[place]}: {row[place]}" for place in outside if row[place]):
        if line and cell_len(f"{_BELOW}{line} · {part}") > room:
            yield _BELOW + line
            line = ""
        line = f"{line} · {part}" if line else part
        if cell_len(_BELOW + line) > room:
            *whole, line = _wrapped(line, room - len(_BELOW)) or [""]
            yield from (_BELOW + text for text in whole)
    if line:
        yield _BELOW + line


def _wrapped(text: str, room: int) -> list[str]:
    return wrap(text, max(room, 20), break_long_words=False, break_on_hyphens=False)


def _wrapped_name(name: str, width: int) -> list[str]:
    return wrap(name, width, break_long_words=False, break_on_hyphens=False)


def _aligned(text: str, width: int, to_the_right: bool) -> str:
    missing = max(0, width - cell_len(text))
    return " " * missing + text if to_the_right else set_cell_size(text, max(width, cell_len(text)))


def _natural(header: Sequence[str], rows: Rows, place: int) -> int:
    return max(cell_len(header[place]), *(cell_len(row[place]) for row in rows), 1)


def _least(header: Sequence[str], rows: Rows, place: int) -> int:
    """As wide as its widest cell; the name above wraps at words."""
    return max(*(cell_len(word) for word in header[place].split()), *(cell_len(row[place]) for row in rows), 1)


def _is_prose(rows: Rows, place: int) -> bool:
    """Whether a column has sentences, which may wrap: what is longer than any date, place or device."""
    return any(cell_len(row[place]) > SENTENCE_LEAST + 6 and row[place].count(" ") > 2 for row in rows)
