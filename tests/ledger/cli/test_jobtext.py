"""A job's file that cannot be read is named, with what is wrong and a file as it should be."""

from pathlib import Path

import pytest

from ledger.areas import load_areas
from ledger.cli.jobtext import EXAMPLE_TOML, DocumentFiles, document_of, job_of_file, text_of
from ledger.dispatch.jobfile import read_job_lines
from ledger.errors import BadJobs, InputError
from ledger.standard import load_standard

AREAS, STANDARD = load_areas(), load_standard()
NOW_S = 1_769_000_000


def read(path: Path) -> None:
    document_of(path)
    job_of_file(path, AREAS, STANDARD, NOW_S)


def test_example_is_a_job(tmp_path: Path) -> None:
    path = tmp_path / "good.toml"
    path.write_text("\ufeff" + EXAMPLE_TOML, encoding="utf-8")
    (tmp_path / "train.py").write_text("print(1)")
    assert document_of(path).command == ("python3", "train.py")
    line = job_of_file(path, AREAS, STANDARD, NOW_S)
    assert (line.spec.name, line.spec.units, line.spec.limit_micro, line.job) == ("good", 1_000, 3_200, "good.toml")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("units = ", "it is no TOML"),
        ('units = "8xH100"\n', "no table [run]"),
        ('units = "8xH100"\n[run]\nfiles = []\n', "command: [run] names none"),
        ('units = "8xH100"\n[run]\ncommand = "true"\nfiles = ["none.py"]\n', "there is no 'none.py'"),
        ('units = "many"\ngrade = "best"\n[run]\ncommand = "true"\n', "; grade: "),
        ('[run]\ncommand = "true"\n', "units: it is empty"),
    ],
)
def test_bad_file_is_named_with_a_form_to_follow(tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        read(path)
    assert "bad.toml" in caught.value.problem
    assert why in caught.value.problem
    assert EXAMPLE_TOML in caught.value.remedy
    assert '{"command"' not in caught.value.remedy


def test_files_that_lines_name_are_read_once_and_told_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "good.toml").write_text('[run]\ncommand = "true"\n')
    (tmp_path / "bad.toml").write_text("[run]\n")
    files = DocumentFiles(tmp_path)
    assert files.of("good.toml") is files.of("good.toml")
    text = "units,price,job\n10,0.003,good.toml\n10,free,none.toml\n10,0.003,bad.toml\n10,0.003,\n"
    with pytest.raises(BadJobs) as caught:
        read_job_lines(text, AREAS, STANDARD, NOW_S, files.of)
    assert [cell[:2] for cell in caught.value.cells] == [(3, "price"), (3, "job"), (4, "job")]
    said = [why for _, column, why in caught.value.cells if column == "job"]
    assert "no file 'none.toml' beside the CSV" in said[0]
    assert "Cannot read bad.toml as a job" in said[1]
    assert "\n" not in said[1]
    lines = read_job_lines(text.replace("free,none.toml", "1,").replace("bad.toml", ""), AREAS, STANDARD, NOW_S)
    assert set(files.by_place(lines)) == {0}


def test_readme_shows_the_same_example() -> None:
    readme = Path(__file__).parents[3] / "README.md"
    assert f"```toml\n{EXAMPLE_TOML}```" in readme.read_text(encoding="utf-8")


@pytest.mark.parametrize("encoding", ["gbk", "utf-16"])
def test_other_encodings_are_told_how_to_save(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "jobs.csv"
    path.write_text("name,units\n训练,8xH100\n", encoding=encoding)
    with pytest.raises(InputError, match=r"jobs\.csv is not UTF-8 text\. Save it as CSV UTF-8\."):
        text_of(path)
