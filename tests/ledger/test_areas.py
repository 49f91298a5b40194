"""The table of areas against its rule, against measured latencies, and against the regions that the data names."""

from collections import defaultdict
from itertools import combinations
from pathlib import Path
from statistics import median

import pytest

from ledger import datasets
from ledger.areas import load_areas
from ledger.errors import InputError, UnknownName
from ledger.model import Area
from ledger.product import Tier

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
FOLDERS = [None, *([SHARED] if SHARED.is_dir() else [])]
AREAS = load_areas()
# Wavelength zones that the price list does not tell apart: several cities share the name.
NOWHERE = {"aws:us-east-1-wl1", "aws:us-west-2-wl1"}


def test_codes_follow_the_rule() -> None:
    areas = AREAS.all()
    assert len({area.code for area in areas}) == len(areas)
    for area in areas:
        assert 0 < area.code < 2**16
        if area.is_hub:
            assert area.code % 256 == 0
        else:
            assert area.hub == area.code // 256 * 256 != area.code
            assert AREAS.area(area.hub).is_hub


def test_every_hub_has_metros_numbered_without_gaps() -> None:
    for hub in (area for area in AREAS.all() if area.is_hub):
        metros = AREAS.metros_of(hub)
        assert [metro.code - hub.code for metro in metros] == list(range(1, len(metros) + 1))


def test_names_and_regions_are_each_of_one_place() -> None:
    places = datasets.places()
    names = [place.name.casefold() for place in places]
    regions = [region for place in places for region in place.regions]
    assert len(set(names)) == len(names)
    assert len(set(regions)) == len(regions)


def test_metros_of_a_hub_are_within_its_bound_as_measured_or_else_by_distance() -> None:
    measured_us: defaultdict[frozenset[int], list[int]] = defaultdict(list)
    for latency in datasets.latencies():
        ends = (AREAS.metro_of(*end.split(":")) for end in (latency.source, latency.target))
        measured_us[frozenset(metro.code for metro in ends)].append(latency.one_way_us)
    for hub in (area for area in AREAS.all() if area.is_hub):
        for one, other in combinations(AREAS.metros_of(hub), 2):
            known = measured_us[frozenset((one.code, other.code))]
            one_way_us = median(known) if known else AREAS.estimated_one_way_us(one, other)
            assert one_way_us <= Tier.HUB.latency_ms * 1_000, (one.name, other.name)


def test_estimates_are_not_far_below_what_was_measured() -> None:
    ratios = []
    for latency in datasets.latencies():
        one, other = (AREAS.metro_of(*end.split(":")) for end in (latency.source, latency.target))
        ratios.append(AREAS.estimated_one_way_us(one, other) / latency.one_way_us)
    assert median(ratios) > 0.9


def regions_named_in(folder: Path | None) -> set[str]:
    regions = {f"{price.provider}:{price.region}" for price in datasets.list_prices(folder)}
    return regions | {end for latency in datasets.latencies(folder) for end in (latency.source, latency.target)}


def test_every_region_with_a_price_or_a_latency_has_a_metro() -> None:
    for region in regions_named_in(None) - NOWHERE:
        assert not AREAS.metro_of(*region.split(":")).is_hub


@pytest.mark.parametrize("folder", FOLDERS)
def test_hardly_a_region_of_data_not_seen_before_is_unknown(folder: Path | None) -> None:
    known = {region for place in datasets.places() for region in place.regions}
    regions = regions_named_in(folder)
    assert len(regions & known) >= 0.95 * len(regions)


def test_china_has_its_eight_national_hubs_with_their_clusters() -> None:
    clusters = {
        "Jing-Jin-Ji": {"Zhangjiakou"},
        "Yangtze Delta": {"Qingpu", "Wuhu"},
        "Greater Bay": {"Shaoguan"},
        "Chengdu-Chongqing": {"Chengdu", "Chongqing"},
        "Guizhou": {"Guian"},
        "Inner Mongolia": {"Horinger"},
        "Gansu": {"Qingyang"},
        "Ningxia": {"Zhongwei"},
    }
    for hub, metros in clusters.items():
        assert metros <= {metro.name for metro in AREAS.metros_of(AREAS.find(hub))}


def test_places_are_found_by_name_code_and_region() -> None:
    frankfurt = AREAS.find("frankfurt")
    assert AREAS.find(str(frankfurt.code)) == AREAS.area(frankfurt.code) == frankfurt
    assert AREAS.metro_of("aws", "eu-central-1") == AREAS.metro_of("tencent", "eu-frankfurt") == frankfurt
    assert AREAS.hub_of(frankfurt).name == "EU-Central"
    assert AREAS.hub_of(AREAS.hub_of(frankfurt)) == AREAS.hub_of(frankfurt)
    assert AREAS.find("sao paulo").name == "São Paulo"


def test_unknown_places_are_answered_with_near_ones() -> None:
    with pytest.raises(UnknownName, match="Frankfurt") as caught:
        AREAS.find("Frankfort")
    assert caught.value.suggestions[0] == "Frankfurt"
    with pytest.raises(UnknownName, match="aws:eu-central-1"):
        AREAS.metro_of("aws", "eu-centrl-1")
    with pytest.raises(UnknownName):
        AREAS.area(65_535)
    with pytest.raises(UnknownName):
        AREAS.find("65535")


def test_estimates_are_for_metros_only() -> None:
    hub, metro = AREAS.find("EU-Central"), AREAS.find("Frankfurt")
    assert AREAS.estimated_one_way_us(metro, metro) == 0
    with pytest.raises(InputError, match="is a hub"):
        AREAS.estimated_one_way_us(metro, hub)


def test_areas_are_values() -> None:
    assert AREAS.area(256) == Area(256, 0, "US-East")
