"""Where compute is: metros, each in one hub, with the cloud regions that lie in them.

Codes have 16 bits. A hub is a multiple of 256; its metros follow it, so the high byte of a metro's code is its hub's.
Rows are only ever added at the end of a hub or of the table, and a code is never used again: a place does not move.

A hub promises 20 ms one way between any two of its metros. Pairs that were measured (`cloud_rtt_2022.csv`) hold it by
the median over their regions; the others by distance, at the 2.6 times the time of light in fibre that private IP
networks take on average. China's eight national computing hubs are hubs here, each with its clusters and the clouds'
metros near them.
"""

import math
import unicodedata
from collections.abc import Sequence
from difflib import get_close_matches

from ledger import datasets
from ledger.datasets import Place
from ledger.errors import InputError, UnknownName
from ledger.model import Area

EARTH_RADIUS_KM = 6_371
FIBRE_KM_PER_MS = 200
PRIVATE_IP_DETOUR = 2.6


class Areas:
    """All areas. Build it with `load_areas`."""

    def __init__(self, places: Sequence[Place]) -> None:
        self._places = {place.code: place for place in places}
        self._codes = {_plain(place.name): place.code for place in places}
        self._regions = {region: place.code for place in places for region in place.regions}

    def all(self) -> list[Area]:
        """Every area, hubs before their metros, in order of code."""
        return [self.area(code) for code in sorted(self._places)]

    def area(self, code: int) -> Area:
        """The area with this code. Raises UnknownName."""
        if code not in self._places:
            raise UnknownName("area", str(code), ())
        place = self._places[code]
        return Area(place.code, place.hub_code, place.name)

    def find(self, text: str) -> Area:
        """The area that people call `text`, by name or code. Raises UnknownName with near matches."""
        if text.isascii() and text.isdigit():
            return self.area(int(text))
        code = self._codes.get(_plain(text))
        if code is None:
            near = get_close_matches(_plain(text), self._codes, n=3, cutoff=0.5)
            raise UnknownName("area", text, [self._places[self._codes[name]].name for name in near])
        return self.area(code)

    def metro_of(self, provider: str, region: str) -> Area:
        """The metro in which a cloud's region lies (`"aws", "eu-central-1"`). Raises UnknownName with near matches."""
        name = f"{provider}:{region}"
        code = self._regions.get(name)
        if code is None:
            raise UnknownName("cloud region", name, get_close_matches(name, self._regions, n=3, cutoff=0.8))
        return self.area(code)

    def hub_of(self, metro: Area) -> Area:
        """The hub of a metro; a hub is its own. Raises UnknownName."""
        return metro if metro.is_hub else self.area(metro.hub)

    def metros_of(self, hub: Area) -> list[Area]:
        """The metros of a hub, in order of code."""
        return [area for area in self.all() if area.hub == hub.code]

    def estimated_one_way_us(self, one: Area, other: Area) -> int:
        """Latency between two metros by distance alone, in microseconds. Raises InputError for a hub."""
        km = EARTH_RADIUS_KM * _angle(self._at(one), self._at(other))
        return round(km / FIBRE_KM_PER_MS * PRIVATE_IP_DETOUR * 1_000)

    def _at(self, metro: Area) -> tuple[float, float]:
        place = self._places[metro.code]
        if place.lat is None or place.lon is None:
            raise InputError(f"{place.name} is a hub and lies at no one place.", "Name one of its metros.")
        return math.radians(place.lat), math.radians(place.lon)


def load_areas() -> Areas:
    """The package's areas."""
    return Areas(datasets.places())


def _angle(one: tuple[float, float], other: tuple[float, float]) -> float:
    (lat, lon), (lat_2, lon_2) = one, other
    haversine = math.sin((lat_2 - lat) / 2) ** 2
    haversine += math.cos(lat) * math.cos(lat_2) * math.sin((lon_2 - lon) / 2) ** 2
    return 2 * math.asin(math.sqrt(haversine))


def _plain(name: str) -> str:
    letters = unicodedata.normalize("NFKD", name.casefold())
    return "".join(letter for letter in letters if letter.isalnum())
