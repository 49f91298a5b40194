"""The data files: measured results, datasheets, prices, jobs, latencies.

Small cuts ship with the package (sources and licences in NOTICE). Every reader takes a folder with the full files of
the same names and columns, and uses those instead; device names and areas are our own tables and come from the package.
"""

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from importlib import resources
from io import StringIO
from pathlib import Path
from typing import TypeVar

from ledger.errors import BadData
from ledger.units import MICRO_PER_USD, hour_of

CNY_IN_USD = Decimal("0.138")
"""Dollars for a yuan: the rate at which the price tables of alibaba and tencent were converted at their source."""

Row = dict[str, str]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Benchmark:
    """One MLPerf inference result of the offline scenario, per accelerator, in `unit` (of one version only)."""

    version: str
    submitter: str
    platform: str
    accelerator: str
    task: str
    unit: str
    result: Decimal
    availability: str


@dataclass(frozen=True, slots=True)
class Datasheet:
    """What a vendor states of a device: dense matrix and vector rates in TFLOPS (None: not stated), memory in GB."""

    device: str
    fp16_tflops: Decimal | None
    fp64_vector_tflops: Decimal | None
    fp64_matrix_tflops: Decimal | None
    memory_gb: int


@dataclass(frozen=True, slots=True)
class ListPrice:
    """A cloud's list price of an instance with `devices` whole accelerators. `family` is the instance type's first
    part, which tells apart what `device` alone does not (an A100 is 40 GB in p4d and 80 GB in p4de)."""

    provider: str
    region: str
    instance: str
    family: str
    device: str
    devices: int
    hourly_micro: int


@dataclass(frozen=True, slots=True)
class MarketPrice:
    """What a provider asked on a market for one device of a model, in one hour."""

    hour: int
    device: str
    provider: str
    offers: int
    lowest_micro: int
    mean_micro: int


@dataclass(frozen=True, slots=True)
class Job:
    """A job of a cluster's trace: seconds since the trace's start, seconds it ran, GPUs it held."""

    submit_s: int
    duration_s: int
    gpus: int
    cluster: str


@dataclass(frozen=True, slots=True)
class Latency:
    """Mean one-way network latency between two cloud regions (`aws:eu-central-1`), in microseconds."""

    source: str
    target: str
    one_way_us: int


@dataclass(frozen=True, slots=True)
class DeviceNames:
    """A device and what else it is called."""

    device: str
    aliases: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """A row of the table of areas: a hub (`hub_code` 0, no coordinates) or a metro with the cloud regions in it."""

    code: int
    hub_code: int
    name: str
    lat: float | None
    lon: float | None
    regions: tuple[str, ...]


def benchmarks(folder: Path | None = None) -> tuple[Benchmark, ...]:
    """The MLPerf results in `mlperf_offline.csv`. Raises BadData."""
    return _read("mlperf_offline.csv", folder, _benchmark)


def datasheets(folder: Path | None = None) -> tuple[Datasheet, ...]:
    """The rows of `device_datasheets.csv`: the package's own, with those of `folder` in their place. Raises BadData."""
    shipped = _read("device_datasheets.csv", None, _datasheet)
    given = _read("device_datasheets.csv", folder, _datasheet) if folder else ()
    return tuple({sheet.device: sheet for sheet in (*shipped, *given)}.values())


def list_prices(folder: Path | None = None) -> tuple[ListPrice, ...]:
    """The rows of `cloud_prices.csv` with a price and whole accelerators, in USD. Raises BadData."""
    return tuple(price for price in _read("cloud_prices.csv", folder, _list_price) if price is not None)


def market_prices(folder: Path | None = None) -> tuple[MarketPrice, ...]:
    """The rows of `gpu_market_provider_hourly.csv`. Raises BadData."""
    return _read("gpu_market_provider_hourly.csv", folder, _market_price)


def jobs(folder: Path | None = None) -> tuple[Job, ...]:
    """The rows of `jobs_philly.csv`, by time of submission. Raises BadData."""
    return tuple(sorted(_read("jobs_philly.csv", folder, _job), key=lambda job: job.submit_s))


def latencies(folder: Path | None = None) -> tuple[Latency, ...]:
    """The rows of `cloud_rtt_2022.csv`, halved to one way; the package's cut has pairs within a hub. Raises BadData."""
    return _read("cloud_rtt_2022.csv", folder, _latency)


def device_names() -> tuple[DeviceNames, ...]:
    """The package's `device_names.csv`."""
    return _read("device_names.csv", None, lambda row: DeviceNames(row["device"], tuple(row["aliases"].split("|"))))


def places() -> tuple[Place, ...]:
    """The package's `areas.csv`."""
    return _read("areas.csv", None, _place)


# ---- one row each


def _benchmark(row: Row) -> Benchmark:
    return Benchmark(
        version=row["version"],
        submitter=row["submitter"],
        platform=row["platform"],
        accelerator=row["accelerator"],
        task=row["model"],
        unit=row["units"],
        result=_positive(row["result_per_accelerator"]),
        availability=row["availability"],
    )


def _datasheet(row: Row) -> Datasheet:
    return Datasheet(
        device=row["model"],
        fp16_tflops=_stated(row["fp16_dense_matrix_tflops"]),
        fp64_vector_tflops=_stated(row["fp64_vector_tflops"]),
        fp64_matrix_tflops=_stated(row["fp64_matrix_tflops"]),
        memory_gb=int(row["mem_gb"]),
    )


def _list_price(row: Row) -> ListPrice | None:
    devices = _positive(row["gpu_count"]) if row["gpu_count"] not in ("", "0") else Decimal(0)
    if devices == 0 or devices != int(devices) or row["price_per_hour"] == "":
        return None
    in_usd = CNY_IN_USD if row["currency"] == "CNY" else Decimal(1)
    return ListPrice(
        provider=row["provider"],
        region=row["region"],
        instance=row["instance_type"],
        family=row["instance_type"].removeprefix("ecs.").partition(".")[0].partition("-")[0],
        device=row["gpu_model"],
        devices=int(devices),
        hourly_micro=_micro(_positive(row["price_per_hour"]) * in_usd),
    )


def _market_price(row: Row) -> MarketPrice:
    return MarketPrice(
        hour=hour_of(datetime.fromisoformat(row["timestamp_utc"]).replace(tzinfo=UTC)),
        device=f"{row['gpu']} {row['socket']}".strip(),
        provider=row["provider"],
        offers=int(row["offers"]),
        lowest_micro=_micro(_positive(row["min_usd_per_gpu_h"])),
        mean_micro=_micro(_positive(row["avg_usd_per_gpu_h"])),
    )


def _job(row: Row) -> Job:
    return Job(int(row["submit_s"]), int(row["duration_s"]), int(row["gpus"]), row["cluster"])


def _latency(row: Row) -> Latency:
    return Latency(row["src"], row["dst"], int(_positive(row["avg_rtt_ms"]) * 1_000 / 2))


def _place(row: Row) -> Place:
    lat, lon = (float(row[axis]) if row[axis] else None for axis in ("lat", "lon"))
    return Place(int(row["code"]), int(row["hub"]), row["name"], lat, lon, tuple(row["regions"].split()))


# ---- reading


def _read(name: str, folder: Path | None, parse: Callable[[Row], T]) -> tuple[T, ...]:
    return tuple(_parsed(name, folder, parse))


def _parsed(name: str, folder: Path | None, parse: Callable[[Row], T]) -> Iterator[T]:
    for number, row in enumerate(csv.DictReader(StringIO(_text(name, folder))), start=2):
        try:
            yield parse(row)
        except KeyError as missing:
            raise BadData(name, f"it has no column {missing}") from None
        except (ValueError, InvalidOperation, AttributeError, TypeError) as error:
            # A row that is too short gives None for a column, which no parser takes.
            raise BadData(name, f"line {number} cannot be read ({error})") from None


def _text(name: str, folder: Path | None) -> str:
    source = folder / name if folder else resources.files("ledger").joinpath("data", name)
    try:
        return source.read_text(encoding="utf-8")
    except OSError as error:
        raise BadData(name, error.strerror or str(error)) from None
    except UnicodeDecodeError:
        raise BadData(name, "it is not UTF-8 text") from None


def _positive(text: str) -> Decimal:
    number = Decimal(text)
    if not number.is_finite() or number <= 0:
        raise ValueError(f"{text} is not a positive number")
    return number


def _stated(text: str) -> Decimal | None:
    return _positive(text) if text else None


def _micro(usd: Decimal) -> int:
    return int((usd * MICRO_PER_USD).to_integral_value())
