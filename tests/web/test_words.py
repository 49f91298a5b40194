"""The page's texts: both languages say the same things, and the page says nothing that is in neither."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from ledger.artifacts import load_artifacts

WEB = Path(__file__).parents[2] / "api/web"
READ = """
import { readFileSync } from "node:fs";
const read = async (path) => {
  const source = readFileSync(path).toString("base64");
  return Object.values(await import(`data:text/javascript;base64,${source}`))[0];
};
console.log(JSON.stringify(await Promise.all(process.argv.slice(1).map(read))));
"""
GROUPS = sorted(path.stem for path in (WEB / "words/en").glob("*.js"))
# Keys that are put together from what the API says or from a name in the code.
BUILT = re.compile(
    r"^(?:kind|class|tier|grade|basis|reason|clearing|what|area|nav|col|money|account\.kind|audit|lease|jobs\.why|jobs\.phase|refused)\."
)


@pytest.fixture(scope="module")
def groups() -> dict[str, tuple[dict[str, str], dict[str, str]]]:
    """The texts of each group of views, in English and in Chinese."""
    paths = [str(WEB / f"words/{language}/{group}.js") for group in GROUPS for language in ("en", "zh")]
    command = ["node", "--input-type=module", "-e", READ, *paths]
    said = json.loads(subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout)
    return {group: (said[2 * place], said[2 * place + 1]) for place, group in enumerate(GROUPS)}


@pytest.fixture(scope="module")
def words(groups: dict[str, tuple[dict[str, str], dict[str, str]]]) -> tuple[dict[str, str], dict[str, str]]:
    """All of them."""
    english = {key: text for each, _ in groups.values() for key, text in each.items()}
    chinese = {key: text for _, each in groups.values() for key, text in each.items()}
    assert len(english) == sum(len(each) for each, _ in groups.values()), "a key stands in two groups"
    return english, chinese


def modules() -> dict[str, str]:
    """The page's own code, by path."""
    paths = [path for path in sorted(WEB.rglob("*.js")) if "words" not in path.parts]
    return {str(path.relative_to(WEB)): path.read_text() for path in paths}


def reached(start: str, code: dict[str, str]) -> set[str]:
    """The modules that one may load, itself among them."""
    found, left = set[str](), [start]
    while left:
        path = left.pop()
        if path in found or path not in code:
            continue
        found.add(path)
        left += re.findall(r'(?:from|import\()\s*"/web/([^"]+)"', code[path])
    return found


def test_every_view_brings_the_texts_that_it_and_all_that_it_loads_ask_for(
    groups: dict[str, tuple[dict[str, str], dict[str, str]]],
) -> None:
    code = modules()
    view = re.compile(r'^  "?(\w*)"?: \(\) => import\("/web/(views/[\w/]+\.js)"\)', re.M)
    brought = {
        name: re.findall(r'"(\w+)"', listed)
        for name, listed in re.findall(r'^  "?(\w*)"?: \[([^\]]*)\],$', code["app.js"], re.M)
    }
    views = view.findall(code["app.js"])
    assert len(views) > 5
    every = {key for english, _ in groups.values() for key in english}
    for name, path in views:
        there = {key for group in ["core", *brought[name]] for key in groups[group][0]}
        source = "\n".join(code[each] for each in reached(path, code) | {"app.js"})
        assert (set(re.findall(r'"([\w.]+)"', source)) & every) - there == set(), path


def test_both_languages_have_the_same_keys(words: tuple[dict[str, str], dict[str, str]]) -> None:
    english, chinese = words
    assert english.keys() == chinese.keys()
    assert all(english.values())
    assert all(chinese.values())


def values(words: dict[str, str]) -> dict[str, set[str]]:
    """What is put into each text, by key."""
    return {key: set(re.findall(r"\{(\w+)\}", text)) for key, text in words.items()}


def test_both_languages_name_the_same_values(words: tuple[dict[str, str], dict[str, str]]) -> None:
    english, chinese = words
    assert values(english) == values(chinese)


def test_every_text_that_is_asked_for_is_there_and_every_one_there_is_asked_for(
    words: tuple[dict[str, str], dict[str, str]],
) -> None:
    english, _ = words
    source = "\n".join(modules().values())
    asked = set(re.findall(r'\bt\(\s*"([^"]+)"', source))
    assert asked - english.keys() == set()
    quoted = set(re.findall(r'"([\w.]+)"', source))
    assert {key for key in english if key not in quoted and not BUILT.match(key)} == set()


def test_no_text_stands_in_the_code() -> None:
    # A child of h(…) that is a literal with letters would be English for everyone; dom.js shows how h is called.
    pattern = re.compile(r'h\("[a-z0-9]+", \{[^{}]*\}, "([^"]*[A-Za-z]{3}[^"]*)"')
    assert {
        path: pattern.findall(text) for path, text in modules().items() if path != "dom.js" and pattern.search(text)
    } == {}


def test_refusals_are_those_of_the_contracts_with_their_own_values(
    groups: dict[str, tuple[dict[str, str], dict[str, str]]],
) -> None:
    english, chinese = groups["refusals"]
    errors = {
        entry["name"]: {value["name"] for value in entry["inputs"]}
        for artifact in load_artifacts().values()
        for entry in artifact.abi
        if entry["type"] == "error"
    }
    for key, text in english.items():
        name = key.removeprefix("refused.")
        assert set(re.findall(r"\{(\w+)\}", text)) <= errors[name], key
        assert chinese[key].count("|") == 1, f"{key}: the Chinese says what to do too"
        assert "|" not in text
