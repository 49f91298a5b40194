"""The page's texts: both languages say the same things, and the page says nothing that is in neither."""

import json
import re
import subprocess
from pathlib import Path

import pytest

WEB = Path(__file__).parents[2] / "api/web"
READ = """
import { readFileSync } from "node:fs";
const source = (path) => readFileSync(path).toString("base64");
const words = async (path) => Object.values(await import(`data:text/javascript;base64,${source(path)}`))[0];
console.log(JSON.stringify([await words(process.argv[1]), await words(process.argv[2])]));
"""
# Keys that are put together from what the API says or from a name in the code.
BUILT = re.compile(
    r"^(?:kind|class|tier|grade|basis|reason|clearing|what|area|nav|col|money|account\.kind|audit|lease)\."
)


@pytest.fixture(scope="module")
def words() -> tuple[dict[str, str], dict[str, str]]:
    """English and Chinese."""
    paths = [str(WEB / f"words/{name}.js") for name in ("en", "zh")]
    command = ["node", "--input-type=module", "-e", READ, *paths]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    english, chinese = json.loads(said.stdout)
    return english, chinese


def modules() -> dict[str, str]:
    """The page's own code, by path."""
    paths = [path for path in sorted(WEB.rglob("*.js")) if path.parent.name != "words"]
    return {str(path.relative_to(WEB)): path.read_text() for path in paths}


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
