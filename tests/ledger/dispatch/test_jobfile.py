"""A file of jobs is read as people write it, and says all that is wrong with it at once."""

import csv
import time
from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.areas import load_areas
from ledger.datasets import jobs as trace_jobs
from ledger.dispatch.jobfile import (
    COLUMNS,
    SLACK_HOURS,
    example_csv,
    job_of,
    read_job_lines,
    read_jobs,
    trace_csv,
)
from ledger.dispatch.problem import JobSpec
from ledger.errors import BadJobs, InputError
from ledger.product import Grade, class_id_of
from ledger.standard import load_standard
from ledger.units import SECONDS_PER_HOUR, parse_hour

AREAS, STANDARD = load_areas(), load_standard()
NOW_HOUR = parse_hour("2026-01-20 10:00")
NOW_S = NOW_HOUR * SECONDS_PER_HOUR + 1_234
FRANKFURT = AREAS.find("Frankfurt")


def read(text: str) -> list[JobSpec]:
    return read_jobs(text, AREAS, STANDARD, NOW_S)


def one(**cells: str) -> JobSpec:
    return job_of(cells, AREAS, STANDARD, NOW_S).spec


def bad(text: str) -> list[tuple[int, str]]:
    with pytest.raises(BadJobs) as caught:
        read(text)
    assert str(caught.value).count("line ") >= 1
    return [(line, column) for line, column, _ in caught.value.cells]


def test_every_cell_is_read_as_it_is_written() -> None:
    text = (
        "name,class,units,hours,earliest,deadline,metro,latency_ms,grade,gang,price,job\n"
        "train,AI_LARGE,8xH100 SXM,12h,2026-01-21 08:00,2026-01-22 00:30,Frankfurt,20 ms,standard,yes,"
        "2.40 USD/H100-hour,train.toml\n"
    )
    [line] = read_job_lines(text, AREAS, STANDARD, NOW_S)
    assert line.spec == JobSpec(
        name="train",
        class_id=1,
        units=8_000,
        hours=12,
        earliest_hour=parse_hour("2026-01-21 08:00"),
        deadline_hour=parse_hour("2026-01-22 00:00"),
        limit_micro=2_400,
        metro=FRANKFURT.code,
        latency_max_us=20_000,
        grade=Grade.STANDARD,
        gang=True,
    )
    assert (line.line, line.job) == (2, "train.toml")


def test_blank_cells_and_missing_columns_have_sensible_defaults() -> None:
    [job] = read("units\n500\n")
    assert (job.name, job.class_id, job.units, job.hours) == ("line 2", 1, 500, 1)
    assert (job.earliest_hour, job.deadline_hour) == (NOW_HOUR + 1, NOW_HOUR + 2 + SLACK_HOURS)
    assert (job.metro, job.latency_max_us, job.grade, job.gang) == (0, 0, Grade.BASIC, False)
    # What the list prices of the class come to, and a fifth more.
    assert 1_000 < job.limit_micro < 20_000


@pytest.mark.parametrize(
    ("text", "hour"),
    [
        ("now", NOW_HOUR + 1),
        ("tomorrow", parse_hour("2026-01-21 00:00")),
        ("tomorrow 14:00", parse_hour("2026-01-21 14:00")),
        ("today 23:15", parse_hour("2026-01-21 00:00")),
        ("+6h", NOW_HOUR + 7),
        ("in 2 days", NOW_HOUR + 49),
        ("2026-01-21T14:00+08:00", parse_hour("2026-01-21 06:00")),
        (f"hour {NOW_HOUR + 9}", NOW_HOUR + 9),
        ("2020-01-01 00:00", NOW_HOUR + 1),
    ],
)
def test_earliest_is_the_next_whole_hour_of_what_is_said(text: str, hour: int) -> None:
    assert one(units="10", earliest=text).earliest_hour == hour


def test_relative_deadline_counts_from_the_earliest_start_and_rounds_down() -> None:
    assert one(units="10", earliest="+6h", deadline="+6h").deadline_hour == NOW_HOUR + 13
    assert one(units="10", deadline="today 23:59").deadline_hour == parse_hour("2026-01-20 23:00")


def test_hours_are_said_once_in_either_place() -> None:
    assert (
        one(units="500 units, 6h").hours
        == one(units="500 units", hours="6h").hours
        == one(units="500", hours="6").hours
    )
    assert bad('units,hours\n"500 units, 6h",5h\n') == [(2, "units")]


def test_every_bad_cell_is_named_at_once() -> None:
    text = (
        "name,class,units,hours,earliest,deadline,metro,latency_ms,grade,gang,price\n"
        "a,NOPE,8xH100,0h,someday,,Atlantis,fast,best,maybe,free\n"
        "a,,10,2h,,,,,,,\n"
        "b,,,2h,,+1h,,5,,,\n"
        "c,,10,5h,,+3h,,5,,,0\n"
        "d,,10,5h,,+3h,,5,,,\n"
    )
    assert bad(text) == [
        (2, "class"),
        (2, "hours"),
        (2, "earliest"),
        (2, "metro"),
        (2, "latency_ms"),
        (2, "grade"),
        (2, "gang"),
        (2, "price"),
        (3, "name"),
        (4, "units"),
        (5, "price"),
        (6, "deadline"),
        (6, "metro"),
    ]


def test_a_line_that_is_too_long_hides_no_other_mistake() -> None:
    text = "units,price\n1,000,0.003\nmany,0.003\n10,0.003\n5,free\n5,6,7,8\n"
    assert bad(text) == [(2, "price"), (3, "units"), (5, "price"), (6, "price")]


def test_what_stands_before_a_quote_that_never_ends_is_read_all_the_same() -> None:
    assert bad('units,price\nmany,0.003\n5,free\n"1,0.003\n') == [(2, "units"), (3, "price"), (4, "name")]


def test_header_is_told_all_that_is_wrong_with_it() -> None:
    assert bad("unit,price,price,colour\n1,1,1,red\n") == [(1, "unit"), (1, "colour"), (1, "price"), (1, "units")]


def test_documents_that_are_not_there_are_told_with_the_rest() -> None:
    def check(name: str) -> None:
        if name != "good.toml":
            raise InputError(f"There is no {name}.", "Bring it.")

    text = "units,price,job\n10,0.003,good.toml\n10,0.003,\n10,free,bad.toml\n10,0.003,worse.toml\n"
    with pytest.raises(BadJobs) as caught:
        read_job_lines(text, AREAS, STANDARD, NOW_S, check)
    assert [cell[:2] for cell in caught.value.cells] == [(4, "price"), (4, "job"), (5, "job")]
    assert "There is no worse.toml. Bring it." in str(caught.value.cells)


def test_rows_that_end_before_they_begin_are_all_named_with_their_times() -> None:
    text = (
        "units,earliest,deadline,price\n"
        "10,2026-01-22 08:00,2026-01-21 08:00,\n"
        "10,,,0.003\n"
        "10,,2026-01-19 08:00,0.003\n"
        "99999999999 units,2026-01-22 08:00,2026-01-22 08:00,9999999999999\n"
    )
    assert bad(text) == [(2, "deadline"), (4, "deadline"), (5, "units"), (5, "deadline"), (5, "price")]
    with pytest.raises(BadJobs) as caught:
        read(text)
    said = "2026-01-21 08:00 UTC is not after the earliest start, 2026-01-22 08:00 UTC"
    assert said in str(caught.value)
    assert str(parse_hour("2026-01-21 08:00")) not in str(caught.value)


def test_cells_that_are_too_long_are_all_named_and_none_is_read() -> None:
    long = "1" + ", " * 50_000 + "x"
    text = f'name,units,hours,latency_ms,price\n{"n" * 201},"{long}",2h,,"{long}"\na,1 unit,{"9" * 200},,0.003\n'
    start_s = time.process_time()
    assert bad(text) == [(2, "name"), (2, "units"), (2, "price"), (3, "hours")]
    assert time.process_time() - start_s < 1


def test_line_says_whether_its_limit_is_its_own() -> None:
    lines = read_job_lines("units,price\n10,\n10,0.003\n", AREAS, STANDARD, NOW_S)
    assert [line.own_limit for line in lines] == [False, True]


def test_hub_is_no_origin_and_its_metros_are_named() -> None:
    hub = AREAS.hub_of(FRANKFURT)
    with pytest.raises(BadJobs, match=FRANKFURT.name):
        one(units="10", metro=hub.name)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "units\n",
        "name\na\n",
        "units,price,color\n1,,red\n",
        "units,units\n1,1\n",
        "units\n1,2\n",
        'units\n"1\n',
        "units,job\n5,a,b\n",
    ],
)
def test_file_that_is_no_table_of_jobs_is_refused(text: str) -> None:
    assert bad(text)


def test_semicolons_comments_and_empty_lines_are_fine() -> None:
    assert [job.units for job in read("\ufeffUnits; Latency ms\n# mine\n\n10;\n20;\n")] == [10, 20]


def test_example_is_read_whatever_the_time() -> None:
    jobs = read(example_csv(NOW_S))
    assert [job.name for job in jobs] == ["train", "serve", "sweep"]
    assert jobs[1].latency_max_us == 20_000


def test_rows_of_a_trace_become_such_a_file() -> None:
    rows = trace_jobs()
    jobs = read(trace_csv(rows, {rows[0].cluster: "Frankfurt"}, NOW_S, limit=40))
    assert len(jobs) == 40
    first = min(rows, key=lambda job: (job.submit_s, job.cluster, job.duration_s, job.gpus))
    assert jobs[0].hours == -(-first.duration_s // SECONDS_PER_HOUR)
    assert {job.metro for job in jobs} <= {0, FRANKFURT.code}
    assert all(job.deadline_hour == job.earliest_hour + job.hours + SLACK_HOURS for job in jobs)


@given(st.lists(st.lists(st.text(max_size=12), min_size=len(COLUMNS), max_size=len(COLUMNS)), max_size=4))
def test_any_text_is_read_or_refused_by_name_of_cell(rows: list[list[str]]) -> None:
    out = StringIO()
    csv.writer(out).writerows([COLUMNS, *rows])
    try:
        found = read(out.getvalue())
    except BadJobs as error:
        assert all(column in COLUMNS for _, column, _ in error.cells)
    else:
        assert all(job.units * job.hours > 0 and job.limit_micro > 0 for job in found)


@pytest.mark.parametrize(
    ("least", "more", "column"),
    [
        ({"hours": "5h", "deadline": "+5h"}, {"hours": "5h", "deadline": "+4h"}, "deadline"),
        ({"units": "4_294_967_295 units"}, {"units": "4_294_967_296 units"}, "units"),
        ({"hours": "10000h", "deadline": "+10000h"}, {"hours": "10001h"}, "hours"),
        ({"deadline": "+10000h"}, {"deadline": "+10001h"}, "deadline"),
        ({"deadline": "+1h"}, {"deadline": "+0h"}, "deadline"),
        ({"earliest": "today 24:00"}, {"earliest": "today 24:01"}, "earliest"),
        ({"earliest": "Tomorrow 23:59"}, {"earliest": "tomorrow 23:60"}, "earliest"),
        ({"earliest": "TODAY 24:00"}, {"earliest": "today 25:00"}, "earliest"),
        ({"units": "500 units, 6h", "hours": "6h"}, {"units": "500 units, 6h", "hours": "7h"}, "units"),
        ({"units": "1 unit"}, {"units": "0.9 units"}, "units"),
        ({"name": "x" * 200}, {"name": "x" * 201}, "name"),
        ({"gang": "YES"}, {"gang": "yess"}, "gang"),
        ({"gang": "No"}, {"gang": "noo"}, "gang"),
        ({"latency_ms": "12.5", "metro": "Frankfurt"}, {"latency_ms": "12.5555", "metro": "Frankfurt"}, "latency_ms"),
        ({"price": "0.000001"}, {"price": "0.0000001"}, "price"),
        ({}, {"colour": "red"}, "colour"),
    ],
    ids=str,
)
def test_the_very_bound_of_a_cell_is_read_and_what_is_beyond_it_is_named(
    least: dict[str, str], more: dict[str, str], column: str
) -> None:
    cells = {"units": "10", "price": "0.003"}
    job_of(cells | least, AREAS, STANDARD, NOW_S)
    with pytest.raises(BadJobs) as caught:
        job_of(cells | more, AREAS, STANDARD, NOW_S)
    assert [name for _, name, _ in caught.value.cells] == [column]


def test_cells_mean_what_they_say_to_the_unit() -> None:
    assert one(units="10", latency_ms="12.5", metro="Frankfurt").latency_max_us == 12_500
    assert (one(units="10", gang="X").gang, one(units="10", gang="FALSE").gang) == (True, False)
    assert [job.name for job in read("name,units\na,1\nA,2\n")] == ["a", "A"]
    assert one(units="10", hours="3h").deadline_hour == NOW_HOUR + 1 + 3 + SLACK_HOURS
    assert one(units="10", earliest="Tomorrow 08:00").earliest_hour == parse_hour("2026-01-21 08:00")
    of_class = {name: one(units="10", price="0.003", **{"class": name}).class_id for name in ("AI_LARGE", "HPC")}
    assert of_class == {name: class_id_of(name) for name in of_class}
    assert of_class["AI_LARGE"] != of_class["HPC"]
