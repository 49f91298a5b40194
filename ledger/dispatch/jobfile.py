"""Jobs as people write them: a CSV with one job a line, amounts, times and places as elsewhere in this program.

    name,class,units,hours,earliest,deadline,metro,latency_ms,grade,gang,price,job
    train,,8xH100,12h,tomorrow 08:00,+36h,,,standard,yes,2.40 USD/H100-hour,train.toml

Every cell but `units` may be empty, and every column but that one may be left out. All that is wrong is said at once.
"""

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import StringIO
from typing import TypeVar

from ledger import datasets
from ledger.areas import Areas
from ledger.datasets import Job as TraceJob
from ledger.dispatch.problem import PRICE_MICRO_MAX, UNITS_MAX, JobSpec
from ledger.errors import BadJobs, InputError, LedgerError, OutOfRange, UnreadableText
from ledger.product import Grade, class_id_of, grade_of
from ledger.standard import Amount, Standard
from ledger.units import (
    BP_PER_ONE,
    HOURS_PER_DAY,
    MILLI_PER_UNIT,
    SECONDS_PER_HOUR,
    TEXT_MAX,
    format_hour,
    hour_of,
    parse_hour,
    parse_hours,
    start_of_hour,
)

COLUMNS = (
    "name",
    "class",
    "units",
    "hours",
    "earliest",
    "deadline",
    "metro",
    "latency_ms",
    "grade",
    "gang",
    "price",
    "job",
)
ROWS_MAX = 100_000
HOURS_MAX = 10_000
"""How long a job may be, and how far away its deadline."""

SLACK_HOURS = HOURS_PER_DAY
"""Without a deadline a job has this much longer than it runs."""

MARGIN_BP = 12_000
"""Without a price a job pays up to this share of the median list price of its class: list prices are what markets stay
below, and a job that says nothing should not fail for a few per cent."""

_YES, _NO = {"yes", "y", "true", "1", "x", "gang"}, {"", "no", "n", "false", "0"}
_RELATIVE = re.compile(r"(?:\+|in\s+)\s*(?P<span>.+)", re.IGNORECASE)
_DAY = re.compile(r"(?P<day>today|tomorrow)(?:[\sT]+(?P<hour>\d{1,2})(?::(?P<minute>\d{2}))?)?", re.IGNORECASE)
_EXAMPLE_HOURS = "2026-01-21 14:00, 'tomorrow 14:00' or '+6h'"

T = TypeVar("T")
Cell = tuple[int, str, str]
"""What is wrong: the line, the column, and why."""


@dataclass(frozen=True, slots=True)
class JobLine:
    """A line of the file: the job, and the path of the TOML text that says what it runs ('': it only holds
    capacity). `own_limit` is False where the line named no price and the job got a limit from list prices."""

    line: int
    spec: JobSpec
    job: str = ""
    own_limit: bool = True


def read_jobs(text: str, areas: Areas, standard: Standard, now_s: int) -> list[JobSpec]:
    """The jobs of a CSV, in its order. Raises BadJobs with every cell that cannot be read."""
    return [one.spec for one in read_job_lines(text, areas, standard, now_s)]


def read_job_lines(
    text: str, areas: Areas, standard: Standard, now_s: int, check_job: Callable[[str], object] = str
) -> list[JobLine]:
    """The same with their lines and documents. `check_job` is called with what each line names as its document, and
    raises LedgerError where there is none. Raises BadJobs."""
    reader = _Reader(areas, standard, now_s, check_job)
    rows, reader.bad = _rows(text)
    lines = [reader.line(number, row) for number, row in rows]
    seen: dict[str, int] = {}
    for one in lines:
        first = seen.setdefault(one.spec.name, one.line)
        if first != one.line:
            reader.bad.append((one.line, "name", f"{one.spec.name!r} is the name of line {first}"))
    if reader.bad:
        raise BadJobs(sorted(reader.bad, key=lambda cell: (cell[0], COLUMNS.index(cell[1]))))
    return lines


def job_of(
    cells: Mapping[str, str],
    areas: Areas,
    standard: Standard,
    now_s: int,
    line: int = 1,
    check_job: Callable[[str], object] = str,
) -> JobLine:
    """One job from its cells by column, with `check_job` as above. Raises BadJobs."""
    unknown = sorted(set(cells) - set(COLUMNS))
    reader = _Reader(areas, standard, now_s, check_job)
    reader.bad += [(line, name, f"there is no such column; there are {', '.join(COLUMNS)}") for name in unknown]
    found = reader.line(line, cells)
    if reader.bad:
        raise BadJobs(reader.bad)
    return found


def example_csv(now_s: int) -> str:
    """A file to start with, whose times lie after `now_s`."""
    start = format_hour(now_s // SECONDS_PER_HOUR + 3)
    lines = (
        ",".join(COLUMNS),
        f"train,,8xH100 SXM,4h,{start},+24h,,,standard,no,3.20 USD/H100-hour,",
        f"serve,,500 units,2h,{start},+12h,Ohio,20,standard,no,4.00 USD/H100-hour,",
        "sweep,AI_LARGE,200 units,6h,,tomorrow 23:00,,,basic,no,,",
    )
    return "\n".join(lines) + "\n"


def trace_csv(jobs: Iterable[TraceJob], metros: Mapping[str, str], now_s: int, limit: int = 50) -> str:
    """Jobs of a cluster's trace as such a file: each GPU is one A100, what ran less than an hour takes one, and the
    whole trace begins in two hours. `metros` says where each cluster lies."""
    chosen = sorted(jobs, key=lambda job: (job.submit_s, job.cluster, job.duration_s, job.gpus))[:limit]
    first_s = chosen[0].submit_s if chosen else 0
    lines = [",".join(COLUMNS)]
    for number, job in enumerate(chosen, 1):
        hours = max(1, -(-job.duration_s // SECONDS_PER_HOUR))
        earliest = now_s // SECONDS_PER_HOUR + 2 + (job.submit_s - first_s) // SECONDS_PER_HOUR
        cells = (f"{job.cluster}-{number}", "", f"{job.gpus}xA100 80GB SXM", f"{hours}h", format_hour(earliest), "")
        lines.append(",".join((*cells, metros.get(job.cluster, ""), "", "basic", "no", "", "")))
    return "\n".join(lines) + "\n"


# ---- lines


def _rows(text: str) -> tuple[list[tuple[int, dict[str, str]]], list[Cell]]:
    """Each job's line and cells by column, and lines that are longer than the header, whose cells nobody can tell
    apart. Raises BadJobs for a header that is none: all columns hang on it."""
    records = _records(text.removeprefix("\ufeff"))
    line, cells = next(records, (1, []))
    header = _header(cells, line)
    found: list[tuple[int, dict[str, str]]] = []
    bad: list[Cell] = []
    try:
        for line, cells in records:
            if len(found) + len(bad) == ROWS_MAX:
                raise BadJobs([(line, "name", f"a file has at most {ROWS_MAX:,} jobs")])
            if len(cells) > len(header):
                bad.append((line, header[-1], f"the line has {len(cells)} cells, the header {len(header)}"))
            else:
                found.append((line, dict(zip(header, cells, strict=False))))
    except BadJobs as error:
        # What stands before that line is read all the same.
        bad += error.cells
    if not found and not bad:
        bad.append((line, "units", "the file has no job"))
    return found, bad


def _records(text: str) -> Iterator[tuple[int, list[str]]]:
    """Lines that say something, as cells. Raises BadJobs."""
    head = text.split("\n", 1)[0]
    reader = csv.reader(StringIO(text), delimiter=";" if head.count(";") > head.count(",") else ",", strict=True)
    try:
        for row in reader:
            cells = [cell.strip() for cell in row]
            if any(cells) and not cells[0].startswith("#"):
                yield reader.line_num, cells
    except csv.Error as error:
        raise BadJobs([(reader.line_num, "name", f"this is no CSV ({error})")]) from None


def _header(cells: list[str], line: int) -> list[str]:
    names = [cell.casefold().replace(" ", "_") for cell in cells]
    bad = [
        (line, name or "(empty)", f"there is no such column; there are {', '.join(COLUMNS)}")
        for name in names
        if name not in COLUMNS
    ]
    bad += [(line, name, "the column is there twice") for name in sorted({n for n in names if names.count(n) > 1})]
    if "units" not in names:
        bad.append((line, "units", "the column is missing: it says how much each job takes"))
    if bad:
        raise BadJobs(bad)
    return names


class _Reader:
    """Reads cells and gathers in `bad` what cannot be read."""

    def __init__(self, areas: Areas, standard: Standard, now_s: int, check_job: Callable[[str], object] = str) -> None:
        self.bad: list[Cell] = []
        self._check_job = check_job
        self._areas, self._standard, self._now_s = areas, standard, now_s
        self._prices = _Prices(standard)

    def line(self, number: int, cells: Mapping[str, str]) -> JobLine:
        """The job of a line; where a cell is bad, some job with its name. No cell is read that is longer than all that
        one may say."""
        long = {name: len(text) for name, text in cells.items() if len(text) > TEXT_MAX}
        if long:
            why = "it has {} characters, and a cell has at most {}"
            self.bad += [(number, name, why.format(length, TEXT_MAX)) for name, length in long.items()]
            rest = {name: text for name, text in cells.items() if name not in long}
            return self.line(number, {"units": "1 unit"} | rest)

        def cell(column: str, parse: Callable[[str], T], otherwise: T) -> T:
            text = cells.get(column, "").strip()
            if not text:
                return otherwise
            try:
                return parse(text)
            except LedgerError as error:
                self.bad.append((number, column, str(error)))
                return otherwise

        def wrong(column: str, why: str) -> None:
            self.bad.append((number, column, why))

        asked = len(self.bad)
        name = cells.get("name", "").strip() or f"line {number}"
        cell("job", lambda text: bool(self._check_job(text)), otherwise=False)
        class_id = cell("class", class_id_of, 0)
        if not cells.get("units", "").strip():
            wrong("units", "it is empty: say how much, like '8xH100' or '500 units'")
        hours_said = cell("hours", _hours, 0)
        amount = cell("units", lambda text: self._amount(text, class_id, hours_said), Amount(1, 1, 1, None, None))
        earliest = max(cell("earliest", self._earliest, 0), self._now_s // SECONDS_PER_HOUR + 1)
        otherwise = earliest + amount.hours + SLACK_HOURS
        spec = JobSpec(
            name=name,
            class_id=amount.class_id,
            units=max(1, amount.units),
            hours=amount.hours,
            earliest_hour=earliest,
            deadline_hour=cell("deadline", lambda text: self._deadline(text, earliest), otherwise),
            limit_micro=cell("price", lambda text: self._price(text, amount), 0),
            metro=cell("metro", self._metro, 0),
            latency_max_us=cell("latency_ms", _latency_us, 0),
            grade=cell("grade", grade_of, Grade.BASIC),
            gang=cell("gang", _yes, False),
        )
        if len(self.bad) == asked:
            spec = self._checked(spec, wrong)
        return JobLine(number, spec, cells.get("job", "").strip(), bool(cells.get("price", "").strip()))

    def _checked(self, spec: JobSpec, wrong: Callable[[str, str], None]) -> JobSpec:
        room = spec.deadline_hour - spec.earliest_hour
        if room < spec.hours:
            ends = f"from {format_hour(spec.earliest_hour)} to {format_hour(spec.deadline_hour)}"
            wrong("deadline", f"{spec.hours} hours do not fit into the {max(0, room)} {ends}")
        if spec.latency_max_us and not spec.metro:
            wrong("metro", "a latency is bounded, but not from where: name a metro")
        if spec.limit_micro:
            return spec
        usual_micro = self._prices.usual_micro(spec.class_id)
        if usual_micro is None:
            wrong("price", "there is no list price to go by: say the most that the job pays, like '0.0025'")
        return replace(spec, limit_micro=usual_micro or 1)

    # ---- cells

    def _amount(self, text: str, class_id: int, hours: int) -> Amount:
        plain = text + " units" if re.fullmatch(r"[0-9][0-9_]*", text) else text
        amount = self._standard.amount(plain, class_id or None, hours or 1)
        if hours and amount.hours != hours:
            raise InputError(f"It says {amount.hours} hours, the column hours says {hours}.", "Say the length once.")
        if amount.units < 1:
            raise InputError(f"{text} is less than one unit.", "Ask for one unit at least.")
        if amount.units > UNITS_MAX:
            raise OutOfRange("units", amount.units, 1, UNITS_MAX)
        if amount.hours > HOURS_MAX:
            raise OutOfRange("hours", amount.hours, 1, HOURS_MAX)
        return amount

    def _earliest(self, text: str) -> int:
        return -(-self._time_s(text, self._now_s) // SECONDS_PER_HOUR)

    def _deadline(self, text: str, earliest: int) -> int:
        hour = self._time_s(text, earliest * SECONDS_PER_HOUR) // SECONDS_PER_HOUR
        if hour <= earliest:
            raise InputError(
                f"{format_hour(hour)} is not after the earliest start, {format_hour(earliest)}.",
                "Give a later deadline, or an earlier start.",
            )
        if hour > earliest + HOURS_MAX:
            raise OutOfRange("deadline in hours after the earliest start", hour - earliest, 1, HOURS_MAX)
        return hour

    def _time_s(self, text: str, from_s: int) -> int:
        """Seconds since the epoch; what is relative counts from `from_s`."""
        if text.casefold() == "now":
            return self._now_s
        if relative := _RELATIVE.fullmatch(text):
            return from_s + parse_hours(relative["span"]) * SECONDS_PER_HOUR
        if day := _DAY.fullmatch(text):
            midnight = start_of_hour(self._now_s // SECONDS_PER_HOUR).replace(hour=0)
            hour, minute = int(day["hour"] or 0), int(day["minute"] or 0)
            if hour > 24 or minute > 59 or (hour == 24 and minute):
                raise UnreadableText("a time", text, "there is no such time of day", "tomorrow 14:00")
            days = 1 if day["day"].casefold() == "tomorrow" else 0
            return round((midnight + timedelta(days=days, hours=hour, minutes=minute)).timestamp())
        return _moment_s(text)

    def _price(self, text: str, amount: Amount) -> int:
        price_micro = self._standard.price_micro(text, amount.class_id, amount.device)
        if price_micro < 1:
            raise InputError(f"{text} is less than a millionth of a dollar per unit-hour.", "Pay more.")
        if price_micro > PRICE_MICRO_MAX:
            raise OutOfRange("price in micro per unit-hour", price_micro, 1, PRICE_MICRO_MAX)
        return price_micro

    def _metro(self, text: str) -> int:
        area = self._areas.find(text)
        if area.is_hub:
            metros = ", ".join(metro.name for metro in self._areas.metros_of(area))
            raise InputError(f"{area.name} is a hub and lies at no one place.", f"Name one of its metros: {metros}.")
        return area.code


class _Prices:
    """What a unit-hour of a class usually costs, by the median of the list prices of its devices."""

    def __init__(self, standard: Standard) -> None:
        self._standard = standard
        self._known: dict[int, int | None] = {}

    def usual_micro(self, class_id: int) -> int | None:
        if class_id not in self._known:
            self._known[class_id] = self._median(class_id)
        return self._known[class_id]

    def _median(self, class_id: int) -> int | None:
        found = []
        for price in datasets.list_prices():
            try:
                milli = self._standard.entry(self._standard.device_of(price), class_id).rating.milli_units
            except InputError:
                continue
            found.append(price.hourly_micro * MILLI_PER_UNIT // (price.devices * milli))
        if not found:
            return None
        return max(1, sorted(found)[len(found) // 2] * MARGIN_BP // BP_PER_ONE)


def _hours(text: str) -> int:
    hours = parse_hours(text if not text.isascii() or not text.isdigit() else f"{text}h")
    if hours > HOURS_MAX:
        raise OutOfRange("hours", hours, 1, HOURS_MAX)
    return hours


def _latency_us(text: str) -> int:
    number = re.fullmatch(r"([0-9]{1,6}(?:\.[0-9]{1,3})?)\s*(?:ms)?", text, re.IGNORECASE)
    if number is None:
        raise UnreadableText("a latency", text, "it is not a number of milliseconds", "20")
    return int(Decimal(number[1]) * 1_000)


def _yes(text: str) -> bool:
    if text.casefold() in _YES:
        return True
    if text.casefold() in _NO:
        return False
    raise UnreadableText("yes or no", text, "it is neither", "yes")


def _moment_s(text: str) -> int:
    """Seconds since the epoch of an absolute time; a deadline may lie within an hour, which then does not count."""
    if re.fullmatch(r"hour[T\s]*[0-9]{1,10}", text, re.IGNORECASE):
        return parse_hour(text) * SECONDS_PER_HOUR
    try:
        moment = datetime.fromisoformat(re.sub(r"\s*UTC$", "+00:00", text))
    except ValueError:
        raise UnreadableText("a time", text, "it is not a date and time", _EXAMPLE_HOURS) from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    hour_of(moment)
    return int(moment.timestamp() // 1)
