"""The standard as the package has it, and amounts in words."""

import pytest

from tests.api.stage import Stage


def test_the_standard_is_whole(stage: Stage) -> None:
    data = stage.get("/standard")["data"]
    assert {one["class"] for one in data["classes"]} == {"AI_LARGE", "AI_SMALL", "HPC", "GENERAL"}
    assert len(data["devices"]) == len(stage.services.standard.entries)
    assert len(data["areas"]) == len(stage.services.areas.all())
    [reference] = [one for one in data["devices"] if one["device"] == "H100 SXM5 80GB" and one["class_id"] == 1]
    assert reference["milli_units"] == 1_000_000
    hubs = {one["code"]: one["name"] for one in data["areas"] if one["is_hub"]}
    assert all(hubs[one["hub"]] == one["hub_name"] for one in data["areas"] if not one["is_hub"])


@pytest.mark.parametrize(
    ("text", "units", "hours"),
    [
        ("8xH100, 24h", 8_000, 24),
        ("500 units, 2 days", 500, 48),
        ("1x H100 SXM", 1_000, 1),
        ("８×H100，24小时", 8_000, 24),
    ],
)
def test_amounts_are_read(stage: Stage, text: str, units: int, hours: int) -> None:
    data = stage.get("/standard/convert", text=text, **{"class": "AI_LARGE"})["data"]
    assert (data["units"], data["hours"], data["unit_hours"]) == (units, hours, units * hours)


@pytest.mark.parametrize("text", ["much", "8x", "-1 units", "8xNothing", "0x H100"])
def test_what_is_no_amount_is_told_with_a_remedy(stage: Stage, text: str) -> None:
    response = stage.client.get("/standard/convert", params={"text": text})
    assert response.status_code == 422
    assert response.json()["remedy"]
