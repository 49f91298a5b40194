"""tests/DRILLS.md names, for every drill and every way to fail, tests that exist."""

import ast
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DRILLS, MODES = range(1, 12), range(1, 39)

_NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
_DRILL = re.compile(r"\bdrills? (\d)(?: and (\d))?")

Exists = Callable[[str, str], bool]


def findings(text: str, exists: Exists) -> list[str]:
    """What is wrong with a map: numbers missing or out of order, rows that nothing holds, tests that are not there."""
    drills, _, modes = text.partition("\n## Sending")
    found = []
    for name, part, numbers in (("drill", drills, DRILLS), ("mode", modes, MODES)):
        rows = {int(match[1]): match[0] for match in re.finditer(r"^\| (\d+) \|.*$", part, re.MULTILINE)}
        if list(rows) != list(numbers):
            found.append(f"the {name}s are {list(rows)}, not {numbers.start} to {numbers.stop - 1}")
        for number, row in rows.items():
            named = _NAMED.findall(row)
            if not named and not (name == "mode" and _DRILL.search(row)) and "not held" not in row.lower():
                found.append(f"{name} {number}: nothing holds it, and it does not say so")
            found += [
                f"{name} {number}: there is no {test} in {path}" for path, test in named if not exists(path, test)
            ]
    return found


@cache
def defined_in(path: str) -> frozenset[str]:
    file = ROOT / path
    if not file.exists():
        return frozenset()
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


def test_every_drill_and_every_mode_is_held_by_tests_that_exist() -> None:
    text = (ROOT / "tests" / "DRILLS.md").read_text(encoding="utf-8")
    assert findings(text, lambda path, test: test in defined_in(path)) == []


def rows(numbers: range, held: str) -> str:
    return "".join(f"\n| {number} | it fails | {held} |" for number in numbers)


GOOD = rows(DRILLS, "`tests/a.py::b`") + "\n## Sending" + rows(MODES, "drill 1")


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        (GOOD.replace("| 9 |", "| 10 |"), "the drills are"),
        (GOOD.replace("\n| 7 | it fails | drill 1 |", ""), "the modes are"),
        (GOOD.replace("| 38 | it fails | drill 1 |", "| 38 | it fails | nobody |"), "mode 38: nothing holds it"),
        (GOOD.replace("| 3 | it fails | `tests/a.py::b` |", "| 3 | it fails | drill 1 |"), "drill 3: nothing holds it"),
        (GOOD.replace("a.py::b", "a.py::gone"), "there is no gone in tests/a.py"),
    ],
)
def test_map_with_a_gap_is_told_from_one_without(text: str, finding: str) -> None:
    assert findings(GOOD, lambda _, test: test == "b") == []
    assert any(one.startswith(finding) or finding in one for one in findings(text, lambda _, test: test == "b"))
