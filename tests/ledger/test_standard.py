"""Ratings against the results they come from, on the package's cut and on the full data where they are."""

import csv
from collections import defaultdict
from dataclasses import astuple
from decimal import Decimal
from pathlib import Path

import pytest
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st

from ledger import datasets, prices, standard
from ledger.datasets import Benchmark
from ledger.errors import InputError, OutOfRange, UnknownName, UnreadableText
from ledger.model import Basis
from ledger.product import ComputeClass
from ledger.standard import CLASSES, REFERENCE, Amount, best_results, comparisons, geometric_mean, load_standard

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
FOLDERS = [None, *([SHARED] if SHARED.is_dir() else [])]
STANDARD = load_standard()
AI_LARGE, AI_SMALL, HPC, GENERAL = ComputeClass


def milli(device: str, class_id: int | None = None) -> int:
    return STANDARD.entry(device, class_id).rating.milli_units


def result(device: str, version: str, value: int, availability: str = "available", platform: str = "rack") -> Benchmark:
    return Benchmark(version, "someone", platform, device, "task", "Samples/s", Decimal(value), availability)


# ---- what the ratings are


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_cut_to_the_used_results_gives_the_same_standard(folder: Path | None, tmp_path: Path) -> None:
    (tmp_path / "device_datasheets.csv").write_text("model\n")
    columns = ["version", "submitter", "platform", "accelerator", "model", "units"]
    with (tmp_path / "mlperf_offline.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([*columns, "result_per_accelerator", "availability"])
        writer.writerows(astuple(one) for one in standard.used_benchmarks(folder))
    assert load_standard(tmp_path).entries == load_standard(folder).entries


def test_the_package_ships_nothing_that_no_rating_rests_on() -> None:
    assert set(standard.used_benchmarks()) == set(datasets.benchmarks())


def test_the_reference_yields_a_thousand_units() -> None:
    assert milli(REFERENCE) == standard.REFERENCE_MILLI_UNITS
    assert milli(REFERENCE, HPC) == standard.REFERENCE_MILLI_UNITS
    assert milli("vCPU") == 1_000


@pytest.mark.parametrize(
    ("device", "basis"),
    [
        ("A100", Basis.MEASURED),
        ("H100", Basis.MEASURED),
        ("H200", Basis.MEASURED),
        ("B200", Basis.MEASURED),
        ("MI300X", Basis.MEASURED),
        ("L40S", Basis.MEASURED),
        ("T4", Basis.MEASURED),
        ("V100", Basis.DATASHEET),
        ("RTX 4090", Basis.DATASHEET),
        ("Ascend 910B", Basis.DATASHEET),
    ],
)
def test_devices_that_everyone_asks_for_are_rated(device: str, basis: Basis) -> None:
    assert STANDARD.entry(STANDARD.device(device)).rating.basis is basis


def test_at_least_twenty_models_are_rated() -> None:
    assert len({entry.rating.device for entry in STANDARD.entries}) >= 20


@pytest.mark.parametrize(
    ("device", "other", "least", "most"),
    [
        # The figures that the data's own description states, measured there by hand.
        ("MI300X", REFERENCE, "0.995", "1.005"),
        ("B200 SXM", REFERENCE, "3.665", "3.675"),
        ("T4", "A100 SXM4 80GB", "0.11", "0.14"),
    ],
)
def test_ratings_show_what_paper_flops_do_not(device: str, other: str, least: str, most: str) -> None:
    assert Decimal(least) <= Decimal(milli(device)) / milli(other) <= Decimal(most)


@pytest.mark.parametrize("folder", FOLDERS)
def test_measured_ratings_are_the_geometric_mean_of_what_they_compare(folder: Path | None) -> None:
    devices = {row.device: row.aliases for row in datasets.device_names()}
    spellings = {name: device for device, aliases in devices.items() for name in (device, *aliases)}
    best = best_results(datasets.benchmarks(folder), spellings)
    measured = [entry for entry in load_standard(folder).entries if entry.rating.basis is Basis.MEASURED]
    assert len(measured) > 3
    for entry in measured:
        ratios = [float(each.ratio) for each in comparisons(entry.rating.device, best)]
        product = 1.0
        for ratio in ratios:
            product *= ratio
        assert entry.rating.milli_units == pytest.approx(1_000_000 * product ** (1 / len(ratios)), abs=1)


def test_evidence_is_what_the_rating_hashes() -> None:
    for entry in STANDARD.entries:
        assert entry.rating.evidence == keccak(text=entry.evidence)
        assert str(entry.rating.milli_units) in entry.evidence
    hashes = [entry.rating.evidence for entry in STANDARD.entries]
    assert len(set(hashes)) == len(hashes)


def test_datasheet_ratings_are_peak_ratios() -> None:
    sheets = {sheet.device: sheet for sheet in datasets.datasheets()}
    reference = sheets[REFERENCE]
    assert reference.fp16_tflops
    assert reference.fp64_matrix_tflops
    for entry in STANDARD.entries:
        sheet = sheets.get(entry.rating.device)
        if sheet is None or entry.rating.basis is Basis.MEASURED:
            continue
        if entry.rating.class_id == HPC:
            ratio = (sheet.fp64_matrix_tflops or sheet.fp64_vector_tflops or 0) / reference.fp64_matrix_tflops
        else:
            ratio = (sheet.fp16_tflops or 0) / reference.fp16_tflops
        assert abs(entry.rating.milli_units - 1_000_000 * ratio) <= Decimal("0.5")


def test_devices_are_rated_only_where_their_memory_suffices() -> None:
    for entry in STANDARD.entries:
        assert entry.memory_gb >= CLASSES[entry.rating.class_id].min_memory_gb
    assert STANDARD.classes_of("T4") == [AI_SMALL]
    assert STANDARD.classes_of("A100 SXM4 40GB") == [AI_SMALL, HPC]
    assert STANDARD.classes_of("A100 SXM4 80GB") == [AI_LARGE, AI_SMALL, HPC]


# ---- which results count


def compared(*results: Benchmark) -> list[tuple[str, Decimal]]:
    best = best_results(results, {"Abacus": "Abacus", "H100-SXM-80GB": REFERENCE})
    return [(each.ours.version, each.ratio) for each in comparisons("Abacus", best)]


def test_the_best_result_of_each_side_counts() -> None:
    results = [result("Abacus", "v1.0", value) for value in (1, 4, 2)]
    results += [result("NVIDIA H100-SXM-80GB", "v1.0", value) for value in (3, 8)]
    assert compared(*results) == [("v1.0", Decimal("0.5"))]


def test_the_newest_version_that_both_have_counts() -> None:
    ours = [result("Abacus", version, 1) for version in ("v2.0", "v9.0", "v10.0", "v11.0")]
    reference = [result("H100 SXM 80GB", version, 2) for version in ("v2.0", "v9.0", "v10.0")]
    assert compared(*ours, *reference) == [("v10.0", Decimal("0.5"))]


def test_versions_and_units_are_never_mixed() -> None:
    tokens = Benchmark("v1.0", "someone", "rack", "H100 SXM 80GB", "task", "Tokens/s", Decimal(9), "available")
    assert compared(result("Abacus", "v1.0", 1), tokens, result("H100 SXM 80GB", "v2.0", 1)) == []


def test_previews_count_only_where_nothing_on_sale_was_measured() -> None:
    reference = [result("H100 SXM 80GB", version, 2) for version in ("v1.0", "v2.0")]
    preview = result("Abacus", "v2.0", 6, "preview")
    assert compared(preview, *reference) == [("v2.0", Decimal(3))]
    assert compared(preview, result("Abacus", "v1.0", 1), *reference) == [("v1.0", Decimal("0.5"))]


def test_a_preview_of_the_reference_never_counts() -> None:
    assert compared(result("Abacus", "v1.0", 1), result("H100 SXM 80GB", "v1.0", 1, "preview")) == []


@pytest.mark.parametrize(
    ("accelerator", "availability", "platform"),
    [
        ("Abacus", "rdi", "rack"),
        ("Abacus", "available", "rack_MaxQ"),
        ("Abacus (1x1g.10gb MIG)", "available", "rack"),
        ("Virtualized Abacus", "available", "rack"),
        ("Abacus-24Q", "available", "rack"),
        ("Abacus CTS", "available", "rack"),
    ],
)
def test_results_of_something_else_than_the_device_on_sale_never_count(
    accelerator: str, availability: str, platform: str
) -> None:
    odd = result(accelerator, "v1.0", 9, availability, platform)
    assert compared(odd, result("H100 SXM 80GB", "v1.0", 1)) == []


@given(st.lists(st.decimals("0.001", "1000", places=3), min_size=1, max_size=20))
def test_geometric_mean_lies_between_its_ends_and_inverts(ratios: list[Decimal]) -> None:
    mean, inverse = geometric_mean(ratios), geometric_mean([1 / ratio for ratio in ratios])
    tiny = Decimal("1e-20")
    assert min(ratios) * (1 - tiny) <= mean <= max(ratios) * (1 + tiny)
    assert abs(mean * inverse - 1) < tiny


# ---- names


@pytest.mark.parametrize(
    ("text", "device"),
    [
        ("H100", "H100 SXM5 80GB"),
        ("h100 sxm", "H100 SXM5 80GB"),
        ("NVIDIA H100-SXM-80GB", "H100 SXM5 80GB"),
        ("NVIDIA H100 80GB HBM3", "H100 SXM5 80GB"),
        ("H100_80GB PCIe", "H100 PCIe 80GB"),
        ("Tesla V100", "V100 SXM2 16GB"),
        ("B200 Blackwell", "B200 SXM"),
        ("GeForce RTX 4090", "RTX 4090"),
        ("AMD Instinct MI300X", "MI300X"),
        ("Huawei Ascend 910B", "Ascend 910B"),
        ("cores", "vCPU"),
    ],
)
def test_device_is_found_as_people_write_it(text: str, device: str) -> None:
    assert STANDARD.device(text) == device


def test_no_spelling_means_two_devices() -> None:
    rows = datasets.device_names()
    meant: defaultdict[str, set[str]] = defaultdict(set)
    for row in rows:
        for name in (row.device, *row.aliases):
            assert STANDARD.device(name) == row.device
            meant[name.casefold()].add(row.device)
    assert all(len(devices) == 1 for devices in meant.values())


def test_every_named_device_is_rated() -> None:
    assert {row.device for row in datasets.device_names()} == {entry.rating.device for entry in STANDARD.entries}


@pytest.mark.parametrize(
    ("text", "suggestion"), [("H1000", REFERENCE), ("MI300", "MI300X"), ("RTX 4080", "RTX 4090"), ("L40X", "L40S")]
)
def test_device_raises_with_near_matches(text: str, suggestion: str) -> None:
    with pytest.raises(UnknownName) as caught:
        STANDARD.device(text)
    assert suggestion in caught.value.suggestions


def test_device_raises_without_a_guess_when_nothing_is_near() -> None:
    with pytest.raises(UnknownName) as caught:
        STANDARD.device("toaster")
    assert caught.value.suggestions == ()


@pytest.mark.parametrize("folder", FOLDERS)
def test_markets_name_hardly_a_device_that_is_not_rated(folder: Path | None) -> None:
    named = [price.device for price in datasets.market_prices(folder)]
    rated = {device for device in set(named) if known(device)}
    assert sum(device in rated for device in named) >= 0.95 * len(named)


def test_instance_families_tell_alike_names_apart() -> None:
    families = {price.family: STANDARD.device_of(price) for price in datasets.list_prices()}
    assert families["p4d"] == "A100 SXM4 40GB"
    assert families["p4de"] == "A100 SXM4 80GB"
    assert families["p5"] == "H100 SXM5 80GB"


def known(device: str) -> bool:
    try:
        return bool(STANDARD.classes_of(STANDARD.device(device)))
    except UnknownName:
        return False


# ---- amounts and prices


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("8x H100 SXM, 24h", Amount(AI_LARGE, 8_000, 24, 8, REFERENCE)),
        ("2x H100", Amount(AI_LARGE, 2_000, 1, 2, REFERENCE)),
        ("16 vCPU for 2 days", Amount(GENERAL, 16, 48, 16, "vCPU")),
        ("500 units, 3h", Amount(AI_LARGE, 500, 3, None, None)),
    ],
)
def test_amount_counts_units(text: str, amount: Amount) -> None:
    assert STANDARD.amount(text) == amount


def test_amount_rounds_down_once_for_all_devices() -> None:
    assert STANDARD.amount("1000x T4").units == milli("T4")
    assert STANDARD.amount("3x T4").units == 3 * milli("T4") // 1_000


def test_amount_is_of_the_class_that_was_asked_for() -> None:
    assert STANDARD.amount("1x A100", HPC).units == milli("A100 SXM4 80GB", HPC) // 1_000
    assert STANDARD.amount("7 units", GENERAL).class_id == GENERAL
    with pytest.raises(InputError, match="T4 is not rated in AI_LARGE"):
        STANDARD.amount("1x T4", AI_LARGE)


@pytest.mark.parametrize(
    ("text", "error"),
    [("8x H1000, 24h", UnknownName), ("24h", UnreadableText), ("0x H100", OutOfRange), ("much", UnknownName)],
)
def test_amount_says_what_is_wrong(text: str, error: type[InputError]) -> None:
    with pytest.raises(error):
        STANDARD.amount(text)


def test_price_is_per_unit_hour_whatever_it_was_said_of() -> None:
    assert STANDARD.price_micro("0.0025", AI_LARGE) == 2_500
    assert STANDARD.price_micro("2.1 USD/H100-hour", AI_LARGE) == 2_100
    assert STANDARD.price_micro("2.1 USD/h", AI_LARGE, device=REFERENCE) == 2_100
    assert STANDARD.price_micro("1 USD/T4-hour", AI_SMALL) == 10**9 // milli("T4")


def test_price_of_no_device_is_refused() -> None:
    with pytest.raises(InputError, match="of which device"):
        STANDARD.price_micro("2.1 USD/h", AI_LARGE)
    with pytest.raises(InputError, match="not rated in AI_LARGE"):
        STANDARD.price_micro("2.1 USD/T4-hour", AI_LARGE)


def test_entry_raises_for_what_is_not_rated_at_all() -> None:
    with pytest.raises(InputError, match="not rated in any class"):
        STANDARD.entry("Abacus")


@pytest.mark.parametrize("folder", FOLDERS)
def test_real_prices_lie_on_the_grid_of_their_class(folder: Path | None) -> None:
    listed = [price for price in datasets.list_prices(folder) if known(price.device)]
    hourly = [(STANDARD.device_of(price), price.hourly_micro, price.devices) for price in listed]
    market = [price for price in datasets.market_prices(folder) if known(price.device)]
    hourly += [(STANDARD.device(price.device), price.mean_micro, 1) for price in market]
    on_grid = 0
    for device, cost_micro, count in hourly:
        class_id = STANDARD.classes_of(device)[0]
        price_micro = prices.unit_price_up(cost_micro, count * milli(device, class_id) // 1_000)
        lowest, highest = (
            prices.price_micro(tick, CLASSES[class_id].tick_size_micro) for tick in (prices.TICK_MIN, prices.TICK_MAX)
        )
        on_grid += lowest < price_micro < highest
    assert on_grid >= 0.99 * len(hourly)
    assert folder or on_grid == len(hourly)


# ---- the table


def test_table_has_a_row_for_every_rating() -> None:
    header, *rows = STANDARD.table()
    assert header == ("device", "memory", "class", "one device yields", "basis", "source")
    listed = {(row[0], name) for row in rows for name in row[2].split(", ")}
    assert listed == {(entry.rating.device, ComputeClass(entry.rating.class_id).name) for entry in STANDARD.entries}
    assert all(row[5] for row in rows)


def test_new_devices_in_a_folder_are_rated_by_their_datasheet(tmp_path: Path) -> None:
    columns = ["model", "fp16_dense_matrix_tflops", "fp64_vector_tflops", "fp64_matrix_tflops", "mem_gb"]
    with (tmp_path / "device_datasheets.csv").open("w", newline="") as file:
        csv.writer(file).writerows([columns, ["Abacus 1", "494.7", "", "", "96"]])
    (tmp_path / "mlperf_offline.csv").write_text(
        "version,submitter,platform,accelerator,model,units,result_per_accelerator,availability\n"
    )
    fresh = load_standard(tmp_path)
    assert fresh.amount("2x abacus-1, 1h") == Amount(AI_LARGE, 1_000, 1, 2, "Abacus 1")
    assert fresh.entry(REFERENCE).rating.basis is Basis.DATASHEET
