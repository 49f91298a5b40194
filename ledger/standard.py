"""The conversion standard: what one device of a model yields in standard units, and what that rests on.

AI classes. A device's rating is the geometric mean, over the MLPerf tasks that it and the reference both ran, of its
best result per accelerator relative to the reference's best, both of one version and one unit: software moves from
version to version, and comparing across them would rate software. Of each task the newest such version counts, once:
both devices then run the newest software that both have, and no task is lost because a version had few submitters.
The reference is always a product on sale, since a preview H100 with unfinished software flatters everything beside
it; a device's own preview counts only for tasks in which it has no other result. RDI entries, power-capped systems
(MaxQ), parts of devices (MIG, vGPU) and special builds (CTS) never count. Where nothing was measured, the ratio of
peak dense FP16 matrix rates stands in.

HPC: the FP64 matrix rate relative to the reference's; the vector rate where a device has no FP64 matrix unit.
GENERAL: a vCPU is one unit by definition.
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext
from difflib import get_close_matches
from pathlib import Path

from eth_utils.crypto import keccak

from ledger import datasets
from ledger.datasets import Benchmark, Datasheet, ListPrice
from ledger.errors import InputError, UnknownName
from ledger.model import Basis, ClassTerms, Rating
from ledger.product import ComputeClass, class_name
from ledger.units import MILLI_PER_UNIT, Per, format_milli_units, parse_quantity, parse_rate, whole_units

REFERENCE = "H100 SXM5 80GB"
REFERENCE_MILLI_UNITS = 1_000 * MILLI_PER_UNIT
VCPU = "vCPU"

_AI_UNIT = "1/1000 of an H100 SXM5 80GB on the published MLPerf inference basket, about one dense FP16 TFLOPS"

# Bond prices lie near the middle of the list prices of each class, tick sizes so that all of them lie on its grid.
CLASSES: dict[int, ClassTerms] = {
    ComputeClass.AI_LARGE: ClassTerms(
        "AI_LARGE", _AI_UNIT, min_memory_gb=80, tick_size_micro=2, min_order_units=10, bond_price_micro=4_000
    ),
    ComputeClass.AI_SMALL: ClassTerms(
        "AI_SMALL", _AI_UNIT, min_memory_gb=16, tick_size_micro=5, min_order_units=10, bond_price_micro=10_000
    ),
    ComputeClass.HPC: ClassTerms(
        "HPC",
        "1/1000 of the FP64 matrix rate of an H100 SXM5 80GB",
        min_memory_gb=16,
        tick_size_micro=2,
        min_order_units=10,
        bond_price_micro=8_000,
    ),
    ComputeClass.GENERAL: ClassTerms(
        "GENERAL",
        "one vCPU: a hardware thread of a current server CPU with 4 GB of memory",
        min_memory_gb=0,
        tick_size_micro=20,
        min_order_units=1,
        bond_price_micro=40_000,
    ),
}

Task = tuple[bool, tuple[int, ...], str, str]
"""Whether a result is of a product on sale, its version, its unit, its task: what results must share to be compared."""
BestResults = dict[str, dict[Task, Benchmark]]

_AI_CLASSES = (ComputeClass.AI_LARGE, ComputeClass.AI_SMALL)
_VENDORS = {"nvidia", "tesla", "geforce", "amd", "instinct", "huawei", "intel", "google"}


@dataclass(frozen=True, slots=True)
class Entry:
    """A rating with what it rests on: `source` in a few words, `evidence` in full (its keccak-256 is in the rating)."""

    rating: Rating
    memory_gb: int
    source: str
    evidence: str


@dataclass(frozen=True, slots=True)
class Amount:
    """So many `units` of a class for `hours`; `count` pieces of `device` when it was asked for in devices."""

    class_id: int
    units: int
    hours: int
    count: int | None
    device: str | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """A device's best result in a task beside the reference's, of one version and unit."""

    ours: Benchmark
    reference: Benchmark

    @property
    def ratio(self) -> Decimal:
        return self.ours.result / self.reference.result


class Standard:
    """All ratings. Build it with `load_standard`."""

    def __init__(self, entries: Sequence[Entry], spellings: Mapping[str, str]) -> None:
        self.entries = tuple(entries)
        self._by_device = {(entry.rating.device, entry.rating.class_id): entry for entry in entries}
        self._spellings = {spelling.casefold(): device for spelling, device in spellings.items()}
        self._names = {_words(spelling): device for spelling, device in spellings.items()}

    def device(self, text: str) -> str:
        """The model that people call `text` ("H100", "NVIDIA A100-SXM-80GB"). Raises UnknownName with near matches."""
        known = self._names.get(_words(text))
        if known is not None:
            return known
        near = get_close_matches(text.casefold(), self._spellings, n=12, cutoff=0.5)
        raise UnknownName("device", text, tuple(dict.fromkeys(self._spellings[name] for name in near))[:3])

    def device_of(self, price: ListPrice) -> str:
        """The model that a cloud's list price is for: its instance family tells an 80 GB A100 from a 40 GB one.

        Raises UnknownName.
        """
        exact = self._names.get(_words(f"{price.device} {price.family}"))
        return exact if exact is not None else self.device(price.device)

    def classes_of(self, device: str) -> list[int]:
        """The classes that a model is rated in, the one it is usually sold in first."""
        return [class_id for class_id in CLASSES if (device, class_id) in self._by_device]

    def entry(self, device: str, class_id: int | None = None) -> Entry:
        """A model's rating in a class (None: the one it is usually sold in), with its evidence. Raises InputError."""
        classes = self.classes_of(device)
        if class_id is None and classes:
            class_id = classes[0]
        if class_id not in classes:
            rated = " and ".join(class_name(each) for each in classes) or "no class"
            raise InputError(
                f"{device} is not rated in {class_name(class_id) if class_id else 'any class'}.",
                f"It is rated in {rated}.",
            )
        return self._by_device[device, class_id]

    def amount(self, text: str, class_id: int | None = None, default_hours: int = 1) -> Amount:
        """What `"8x H100 SXM, 24h"` or `"500 units, 1h"` means in whole units of a class, rounded down.

        Units without a class are AI_LARGE's. Raises UnreadableText, UnknownName, OutOfRange or InputError.
        """
        asked = parse_quantity(text)
        hours = asked.hours or default_hours
        if asked.device is None or asked.count is None:
            return Amount(class_id or ComputeClass.AI_LARGE, asked.units or 0, hours, None, None)
        rating = self.entry(self.device(asked.device), class_id).rating
        units = whole_units(asked.count * rating.milli_units)
        return Amount(rating.class_id, units, hours, asked.count, rating.device)

    def price_micro(self, text: str, class_id: int, device: str | None = None) -> int:
        """What `"0.0025"`, `"2.1 USD/H100-hour"` or `"2.1 USD/h"` (of one `device`) is per unit-hour, rounded down.

        Raises UnreadableText, UnknownName or InputError.
        """
        rate = parse_rate(text)
        if rate.per is Per.UNIT_HOUR:
            return rate.amount_micro
        holder = self.device(rate.device) if rate.device else device
        if holder is None:
            raise InputError(f"{text!r} does not say of which device.", "Write it like '2.1 USD/H100-hour'.")
        return rate.amount_micro * MILLI_PER_UNIT // self.entry(holder, class_id).rating.milli_units

    def table(self) -> list[tuple[str, str, str, str, str, str]]:
        """The standard for people, header first: device, memory, classes, units, basis, source; best devices first.

        Classes in which a device is rated alike for the same reason share a row.
        """
        alike: defaultdict[tuple[str, int, str], list[Entry]] = defaultdict(list)
        for entry in sorted(self.entries, key=lambda entry: (entry.rating.class_id, -entry.rating.milli_units)):
            alike[entry.rating.device, entry.rating.milli_units, entry.source].append(entry)
        rows = [
            (
                device,
                f"{entries[0].memory_gb} GB" if entries[0].memory_gb else "",
                ", ".join(class_name(entry.rating.class_id) for entry in entries),
                format_milli_units(milli_units),
                entries[0].rating.basis.name,
                source,
            )
            for (device, milli_units, source), entries in alike.items()
        ]
        return [("device", "memory", "class", "one device yields", "basis", "source"), *rows]


def load_standard(folder: Path | None = None) -> Standard:
    """The standard computed from the MLPerf results and datasheets in `folder`, or from the package's own cut.

    Raises BadData.
    """
    sheets = {sheet.device: sheet for sheet in datasets.datasheets(folder)}
    spellings = _spellings(sheets)
    best = best_results(datasets.benchmarks(folder), spellings)
    entries = [entry for sheet in sheets.values() for entry in _rated(sheet, sheets[REFERENCE], best)]
    return Standard([*entries, _vcpu()], spellings)


def used_benchmarks(folder: Path | None = None) -> list[Benchmark]:
    """The results that some rating rests on: what a cut must hold to give the same standard. Raises BadData."""
    spellings = _spellings(sheet.device for sheet in datasets.datasheets(folder))
    best = best_results(datasets.benchmarks(folder), spellings)
    used = [each for device in best for pair in comparisons(device, best) for each in (pair.ours, pair.reference)]
    return list(dict.fromkeys(used))


def best_results(benchmarks: Iterable[Benchmark], spellings: Mapping[str, str]) -> BestResults:
    """The best result of each device that `spellings` knows in each task, leaving out what never counts."""
    names = {_words(spelling): device for spelling, device in spellings.items()}
    best: defaultdict[str, dict[Task, Benchmark]] = defaultdict(dict)
    for one in benchmarks:
        device = names.get(_words(one.accelerator))
        if device is None or one.availability not in ("available", "preview") or "maxq" in one.platform.casefold():
            continue
        version = tuple(int(number) for number in re.findall(r"\d+", one.version))
        task = (one.availability == "available", version, one.unit, one.task)
        held = best[device].get(task)
        if held is None or one.result > held.result:
            best[device][task] = one
    return best


def comparisons(device: str, best: BestResults) -> list[Comparison]:
    """The tasks that `device` and the reference both ran, each in the newest version both have, by name of task."""
    newest: dict[str, Comparison] = {}
    reference = best.get(REFERENCE, {})
    # Sorted, previews come before products on sale and old versions before new ones: the last one stays.
    for (_, version, unit, task), ours in sorted(best.get(device, {}).items(), key=lambda item: item[0]):
        beside = reference.get((True, version, unit, task))
        if beside is not None:
            newest[task] = Comparison(ours, beside)
    return [newest[task] for task in sorted(newest)]


def geometric_mean(ratios: Sequence[Decimal]) -> Decimal:
    """The geometric mean to 30 digits, the same on every machine."""
    with localcontext(prec=40):
        mean = (sum((ratio.ln() for ratio in ratios), Decimal(0)) / len(ratios)).exp()
    with localcontext(prec=30):
        return +mean


# ---- names


def _spellings(devices: Iterable[str]) -> dict[str, str]:
    """Every spelling of every device: its own name, and its aliases."""
    known = {device: device for device in (*devices, VCPU)}
    aliases = {alias: row.device for row in datasets.device_names() for alias in row.aliases if row.device in known}
    return aliases | known


def _words(text: str) -> frozenset[str]:
    """A name without what people vary: case, order, punctuation, the vendor, SXM's generation, HBM's."""
    words = re.findall(r"[^\W_]+", unicodedata.normalize("NFKC", text).casefold())
    plain = (re.sub(r"^sxm\d$", "sxm", re.sub(r"^(\d+)g(?:ib?)?$", r"\1gb", word)) for word in words)
    return frozenset(word for word in plain if word not in _VENDORS and not word.startswith("hbm"))


# ---- ratings


def _rated(sheet: Datasheet, reference: Datasheet, best: BestResults) -> Iterator[Entry]:
    fits = [class_id for class_id, terms in CLASSES.items() if sheet.memory_gb >= terms.min_memory_gb]
    measured = comparisons(sheet.device, best)
    for class_id in (each for each in _AI_CLASSES if each in fits):
        if measured:
            yield _measured(sheet, class_id, measured)
        elif sheet.fp16_tflops and reference.fp16_tflops:
            yield _stated(sheet, class_id, "dense FP16", sheet.fp16_tflops, reference.fp16_tflops)
    fp64_tflops = sheet.fp64_matrix_tflops or sheet.fp64_vector_tflops
    if fp64_tflops and reference.fp64_matrix_tflops and ComputeClass.HPC in fits:
        kind = "FP64 matrix" if sheet.fp64_matrix_tflops else "FP64 vector"
        yield _stated(sheet, ComputeClass.HPC, kind, fp64_tflops, reference.fp64_matrix_tflops)


def _measured(sheet: Datasheet, class_id: int, measured: Sequence[Comparison]) -> Entry:
    ratio = geometric_mean([each.ratio for each in measured])
    versions = sorted({each.ours.version for each in measured})
    preview = ", preview" if any(each.ours.availability == "preview" for each in measured) else ""
    span = versions[0] if len(versions) == 1 else f"{versions[0]} to {versions[-1]}"
    lines = [
        f"{each.ours.task}, {each.ours.unit}, MLPerf inference {each.ours.version} offline: "
        f"{_cited(each.ours)} against {_cited(each.reference)}"
        for each in measured
    ]
    source = f"MLPerf {span}, {len(measured)} task{'' if len(measured) == 1 else 's'}{preview}"
    return _entry(sheet, class_id, ratio, Basis.MEASURED, source, lines)


def _cited(one: Benchmark) -> str:
    return f"{one.result} ({one.accelerator}, {one.submitter}, {one.platform}, {one.availability})"


def _stated(sheet: Datasheet, class_id: int, kind: str, tflops: Decimal, reference_tflops: Decimal) -> Entry:
    source = f"datasheet, {kind}: {tflops} of {reference_tflops} TFLOPS"
    return _entry(sheet, class_id, tflops / reference_tflops, Basis.DATASHEET, source, [source])


def _vcpu() -> Entry:
    sheet = Datasheet(VCPU, None, None, None, memory_gb=0)
    source = "by definition of the unit"
    return _entry(sheet, ComputeClass.GENERAL, Decimal(1) / 1_000, Basis.DATASHEET, source, [source])


def _entry(sheet: Datasheet, class_id: int, ratio: Decimal, basis: Basis, source: str, lines: Sequence[str]) -> Entry:
    milli_units = int((ratio * REFERENCE_MILLI_UNITS).to_integral_value())
    says = f"{sheet.device} yields {milli_units} milli-units of {class_name(class_id)}, {basis.name}"
    evidence = "\n".join((says, f"reference: {REFERENCE} = {REFERENCE_MILLI_UNITS} milli-units", *lines)) + "\n"
    rating = Rating(sheet.device, class_id, milli_units, basis, keccak(text=evidence))
    return Entry(rating, sheet.memory_gb, source, evidence)
