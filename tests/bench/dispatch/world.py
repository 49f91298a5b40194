"""The evaluation's world from files: a trace's clusters as providers in cities, their jobs, prices, latencies.

What the files do not say is assumed here, and ASSUMPTIONS (in `words`) says so to whoever reads the report.
"""

import csv
import math
import random
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ledger import datasets
from ledger.areas import EARTH_RADIUS_KM, FIBRE_KM_PER_MS, PRIVATE_IP_DETOUR, load_areas
from ledger.datasets import Job, Place
from ledger.demo.main import DATA_BESIDE
from ledger.errors import BadData, InputError, UnknownName
from ledger.product import ComputeClass
from ledger.standard import Standard, load_standard
from ledger.units import HOURS_PER_DAY, MILLI_PER_UNIT, SECONDS_PER_HOUR, whole_units

TRACE_GPU = "V100 SXM2 16GB"
CLASS_ID = int(ComputeClass.AI_SMALL)
FIRST_HOUR = 417_682  # 2017-08-25, so that the Philly trace's second 0 is about when it was.
STATED_HOURS = (1, 2, 4, 8, 12, 24, 48, 96, 168, 336, 720, 1_440)
"""The queues that a submitter chooses from: a job states the first that is long enough for it."""
SLACK_HOURS_MAX = 24

BOUNDS_US = {"METRO": 10_000, "HUB": 20_000, "WIDE": 100_000}
MIXES: Mapping[str, Mapping[str, int]] = {
    "all-wide": {"WIDE": 100},
    "all-hub": {"HUB": 100},
    "all-metro": {"METRO": 100},
    "mostly-wide": {"WIDE": 60, "HUB": 30, "METRO": 10},
    "mostly-metro": {"WIDE": 10, "HUB": 30, "METRO": 60},
}
"""Per cent of the jobs in each tier."""

_CHINA_FROM = 8_192
_PACKAGED = Path(datasets.__file__).parent / "data"


@dataclass(frozen=True, slots=True)
class Files:
    """Where the data are: files of the columns of the data folder's own. `latency` None: cities of `ledger.areas`."""

    trace: Path
    prices: Path
    datasheets: Path
    benchmarks: Path
    latency: Path | None

    @staticmethod
    def of(folder: Path) -> "Files":
        """Those of a data folder."""
        latency = folder / "cn_city_hub_latency_model.csv"
        return Files(
            trace=folder / "jobs_philly.csv",
            prices=folder / "cloud_prices.csv",
            datasheets=folder / "device_datasheets.csv",
            benchmarks=folder / "mlperf_offline.csv",
            latency=latency if latency.exists() else None,
        )

    @staticmethod
    def default() -> "Files":
        """The full data beside the checkout where they are, else the package's cut."""
        beside = Path(__file__).parents[3] / DATA_BESIDE
        return Files.of(beside if (beside / "jobs_philly.csv").exists() else _PACKAGED)


_READ_AS: Mapping[str, Callable[[Files], Path]] = {
    "jobs_philly.csv": lambda files: files.trace,
    "cloud_prices.csv": lambda files: files.prices,
    "device_datasheets.csv": lambda files: files.datasheets,
    "mlperf_offline.csv": lambda files: files.benchmarks,
}
"""The names by which `ledger.datasets` reads a folder."""


@dataclass(frozen=True, slots=True)
class City:
    """A city with a position and the price of a unit-hour at the nearest cloud region."""

    name: str
    lat: float
    lon: float
    price_micro: int
    region: str


@dataclass(frozen=True, slots=True)
class Work:
    """A job: it comes at `arrival` (hour), runs `hours` on `units`, and said it would run `stated` hours.

    Divisible, it needs `rate` units in each of those hours: the seconds that it ran, rounded up to units, not to hours.
    It is on time when it ends by `deadline`; `latest` is the last hour in which a gang can start to be sure of that.
    """

    number: int
    home: int
    arrival: int
    hours: int
    stated: int
    units: int
    rate: int
    deadline: int
    latest: int
    bound_us: int

    @property
    def unit_hours(self) -> int:
        """What it needs when it is divisible."""
        return self.rate * self.hours


@dataclass(frozen=True, slots=True)
class World:
    """Providers (a cluster each, in a city each), what separates them, and their jobs in order of arrival."""

    clusters: tuple[str, ...]
    cities: tuple[City, ...]
    one_way_us: tuple[tuple[int, ...], ...]
    units_per_gpu: int
    jobs: tuple[Work, ...]
    detour: float

    @property
    def prices_micro(self) -> tuple[int, ...]:
        return tuple(city.price_micro for city in self.cities)

    def reach(self, home: int, bound_us: int) -> tuple[int, ...]:
        """The sites within a job's bound, cheapest first, its own first among equals."""
        within = [site for site, away_us in enumerate(self.one_way_us[home]) if away_us <= bound_us]
        return tuple(sorted(within, key=lambda site: (self.cities[site].price_micro, site != home, site)))


def load_world(files: Files, days: int | None, seed: int) -> World:
    """The world of these files: of the trace the `days` days with the most GPU-hours submitted in a row, or all of it.

    Raises BadData, InputError.
    """
    with tempfile.TemporaryDirectory() as staged:
        folder = _staged(files, Path(staged))
        try:
            trace, standard = datasets.jobs(folder), load_standard(folder)
            priced = _priced(standard, folder)
        except BadData as error:
            raise BadData(str(_READ_AS[error.name](files)), error.why) from None
    for job in trace:
        if job.gpus < 0 or job.duration_s < 0:
            raise BadData(str(files.trace), f"a job ran for {job.duration_s} s on {job.gpus} GPUs")
    trace = tuple(job for job in trace if job.gpus and job.duration_s)
    trace = busiest(trace, days) if days else trace
    if not trace:
        raise BadData(str(files.trace), "no job in it held a GPU for a second")
    clusters = tuple(sorted({job.cluster for job in trace}))
    places, detour = _cities(files.latency)
    cities = _settled(places, priced, len(clusters), seed)
    units = whole_units(standard.entry(TRACE_GPU, CLASS_ID).rating.milli_units)
    return World(
        clusters=clusters,
        cities=cities,
        one_way_us=tuple(tuple(_one_way_us(a, b, detour) for b in cities) for a in cities),
        units_per_gpu=units,
        jobs=tuple(_works(trace, clusters, units)),
        detour=detour,
    )


def mixed(world: World, mix: str, seed: int) -> tuple[Work, ...]:
    """The world's jobs with a tier each, drawn with the mix's weights. Raises InputError."""
    if mix not in MIXES:
        raise InputError(f"There is no mix {mix!r}.", f"Choose one of {', '.join(MIXES)}.")
    tiers, weights = zip(*MIXES[mix].items(), strict=True)
    drawn = random.Random(f"{seed} {mix}").choices(tiers, weights, k=len(world.jobs))
    return tuple(replace(job, bound_us=BOUNDS_US[tier]) for job, tier in zip(world.jobs, drawn, strict=True))


def busiest(trace: Sequence[Job], days: int) -> tuple[Job, ...]:
    """The jobs of those `days` days in a row on which the most GPU-hours were submitted, the first among equals."""
    day_s = HOURS_PER_DAY * SECONDS_PER_HOUR
    by_day: dict[int, int] = {}
    for job in trace:
        by_day[job.submit_s // day_s] = by_day.get(job.submit_s // day_s, 0) + job.gpus * job.duration_s
    first = max(
        sorted(by_day),
        key=lambda day: (sum(by_day.get(day + each, 0) for each in range(days)), -day),
        default=0,
    )
    return tuple(job for job in trace if first <= job.submit_s // day_s < first + days)


# ---- jobs


def _works(trace: Sequence[Job], clusters: Sequence[str], units_per_gpu: int) -> Iterable[Work]:
    home = {cluster: place for place, cluster in enumerate(clusters)}
    start_s = trace[0].submit_s // SECONDS_PER_HOUR * SECONDS_PER_HOUR
    for number, job in enumerate(trace):
        arrival = FIRST_HOUR + _up(job.submit_s - start_s, SECONDS_PER_HOUR)
        hours = _up(job.duration_s, SECONDS_PER_HOUR)
        stated = next((queue for queue in STATED_HOURS if queue >= hours), hours)
        slack = min(stated, SLACK_HOURS_MAX)
        yield Work(
            number=number,
            home=home[job.cluster],
            arrival=arrival,
            hours=hours,
            stated=stated,
            units=job.gpus * units_per_gpu,
            rate=_up(job.gpus * job.duration_s * units_per_gpu, SECONDS_PER_HOUR * hours),
            deadline=arrival + hours + slack,
            latest=arrival + slack,
            bound_us=0,
        )


def _up(amount: int, step: int) -> int:
    return -(-amount // step)


# ---- cities, prices, latencies


def _staged(files: Files, folder: Path) -> Path:
    """The files in one folder, under the names by which they are read. Raises BadData."""
    for name, path_of in _READ_AS.items():
        path = path_of(files)
        try:
            shutil.copyfile(path, folder / name)
        except OSError as error:
            raise BadData(str(path), error.strerror or str(error)) from None
    return folder


def _priced(standard: Standard, folder: Path) -> list[City]:
    """The metros of the price file, each with the least that any device there costs per unit-hour of the class."""
    areas, places = load_areas(), {place.code: place for place in datasets.places()}
    least: dict[int, int] = {}
    for price in datasets.list_prices(folder):
        try:
            metro, device = areas.metro_of(price.provider, price.region).code, standard.device_of(price)
        except UnknownName:
            # What nobody placed or rated is no supply.
            continue
        if CLASS_ID in standard.classes_of(device):
            milli_units = standard.entry(device, CLASS_ID).rating.milli_units * price.devices
            micro = _up(price.hourly_micro * MILLI_PER_UNIT, milli_units)
            least[metro] = min(micro, least.get(metro, micro))
    if not least:
        raise BadData(
            "cloud_prices.csv", "no region in it lists a device that the standard rates and that lies in a known metro"
        )
    return [_city(places[metro], micro) for metro, micro in sorted(least.items())]


def _city(place: Place, price_micro: int = 0) -> City:
    return City(place.name, place.lat or 0.0, place.lon or 0.0, price_micro, place.name)


def _cities(latency: Path | None) -> tuple[list[City], float]:
    """Cities to settle in, and by what a network's way is longer than light's in fibre along the great circle."""
    if latency is None:
        places = [place for place in datasets.places() if place.code > _CHINA_FROM and place.lat is not None]
        return [_city(place) for place in places], PRIVATE_IP_DETOUR
    cities: dict[str, City] = {}
    theory = modelled = 0.0
    try:
        with latency.open(encoding="utf-8", newline="") as lines:
            for row in csv.DictReader(lines):
                name = row["city"]
                cities[name] = City(name, float(row["city_lat"]), float(row["city_lon"]), 0, "")
                theory += float(row["theory_oneway_ms"])
                modelled += float(row["ip_private_2p6x_ms"])
    except KeyError as missing:
        raise BadData(str(latency), f"it has no column {missing}") from None
    except (OSError, ValueError, TypeError) as error:
        raise BadData(str(latency), str(error)) from None
    if theory <= 0 or modelled <= 0:
        raise BadData(str(latency), "it holds no latency above zero")
    return list(cities.values()), round(modelled / theory, 2)


def _settled(places: Sequence[City], priced: Sequence[City], count: int, seed: int) -> tuple[City, ...]:
    """A city for each cluster: those nearest to a cloud region with prices, dealt out by the seed. More clusters than
    cities share them."""
    near = [min((_km(place, region), region.name, region) for region in priced) for place in places]
    ranked = sorted(zip(near, places, strict=True), key=lambda pair: (pair[0][0], pair[1].name))
    found = [City(place.name, place.lat, place.lon, way[2].price_micro, way[1]) for way, place in ranked]
    dealt = [found[each % len(found)] for each in range(count)]
    random.Random(seed).shuffle(dealt)
    return tuple(dealt)


def _one_way_us(one: City, other: City, detour: float) -> int:
    return round(_km(one, other) / FIBRE_KM_PER_MS * detour * 1_000)


def _km(one: City, other: City) -> float:
    lat, lon, lat_2, lon_2 = (math.radians(angle) for angle in (one.lat, one.lon, other.lat, other.lon))
    haversine = math.sin((lat_2 - lat) / 2) ** 2
    haversine += math.cos(lat) * math.cos(lat_2) * math.sin((lon_2 - lon) / 2) ** 2
    return 2 * EARTH_RADIUS_KM * math.asin(min(1.0, math.sqrt(haversine)))
