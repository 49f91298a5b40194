"""Rules of the page's files: nothing inline, nothing from elsewhere, strangers' text never as markup, and small."""

import re
from pathlib import Path

WEB = Path(__file__).parents[2] / "api/web"
LINES_MAX = 400
MARKUP = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|\beval\(|new Function|createContextualFragment"
)
INLINE = re.compile(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", re.IGNORECASE)
ELSEWHERE = re.compile(r"""(?:src|href|from|import\(|url\()\s*[=(]?\s*["']?(?:https?:)?//""")


def texts(*suffixes: str) -> dict[str, str]:
    return {str(p.relative_to(WEB)): p.read_text() for p in sorted(WEB.rglob("*")) if p.suffix in suffixes}


def found(pattern: re.Pattern[str], *suffixes: str) -> list[str]:
    return [f"{path}: {match}" for path, text in texts(*suffixes).items() for match in pattern.findall(text)]


def test_no_text_becomes_markup() -> None:
    assert found(MARKUP, ".js") == []


def test_nothing_is_inline_so_that_the_policy_can_forbid_it() -> None:
    assert found(INLINE, ".html", ".svg") == []
    assert found(re.compile(r'setAttribute\("style"|\bstyle: "(?!percent)'), ".js") == []


def test_nothing_comes_from_elsewhere() -> None:
    assert found(ELSEWHERE, ".html", ".js", ".css") == []


def test_files_are_short() -> None:
    lines = {path: len(text.splitlines()) for path, text in texts(".js", ".css", ".html").items()}
    assert {path: count for path, count in lines.items() if count > LINES_MAX and not path.startswith("words/")} == {}


def test_every_import_names_a_file_that_is_there() -> None:
    packages = {"/packages/ethers.min.js", "/packages/uplot.js"}
    pattern = re.compile(r'(?:from|import\()\s*"(/[^"]+)"')
    missing = [
        f"{path}: {name}"
        for path, text in texts(".js").items()
        for name in pattern.findall(text)
        if name not in packages and not (WEB / name.removeprefix("/web/")).is_file()
    ]
    assert missing == []
