"""Texts to integers with units and back."""

import time
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import units
from ledger.errors import InputError, OutOfRange, UnreadableText
from ledger.units import Per, Quantity, Rate

AMOUNTS = st.integers(min_value=0, max_value=2**64)


@given(AMOUNTS)
def test_usd_reads_back_what_it_prints(amount_micro: int) -> None:
    assert units.parse_usd_micro(units.format_usd(amount_micro)) == amount_micro


@given(AMOUNTS)
def test_milli_units_read_back_what_they_print(milli_units: int) -> None:
    assert units.parse_milli_units(units.format_milli_units(milli_units)) == milli_units


@given(st.integers(min_value=0, max_value=10**6))
def test_bp_reads_back_what_it_prints(bp: int) -> None:
    assert units.parse_bp(units.format_bp(bp)) == bp


@given(st.integers(min_value=0, max_value=2**32 - 1))
def test_hour_reads_back_what_it_prints(hour: int) -> None:
    assert units.parse_hour(units.format_hour(hour)) == hour


@given(st.integers(min_value=1, max_value=10**9), st.integers(min_value=1, max_value=10**9))
def test_quantity_reads_back_units(amount: int, hours: int) -> None:
    text = f"{units.format_units(amount)}, {units.format_hours(hours)}"
    assert units.parse_quantity(text) == Quantity(None, None, amount, hours)


@given(st.text(max_size=40))
def test_parsers_refuse_noise_only_with_input_errors(text: str) -> None:
    parsers = (
        units.parse_usd_micro,
        units.parse_rate,
        units.parse_quantity,
        units.parse_milli_units,
        units.parse_bp,
        units.parse_hours,
        units.parse_hour,
    )
    for parse in parsers:
        try:
            parse(text)
        except InputError as error:
            assert error.remedy


@pytest.mark.parametrize(
    "text", ["1" + ", " * 50_000 + "x", "3 USD/" + "- " * 50_000 + "z", "\ufdfa" * 199, "1h " * 99]
)
def test_no_parser_reads_a_text_that_is_longer_than_anyone_writes(text: str) -> None:
    start_s = time.process_time()
    for parse in (units.parse_rate, units.parse_quantity, units.parse_hours, units.parse_milli_units, units.parse_hour):
        with pytest.raises(UnreadableText, match="200 at most") as caught:
            parse(text)
        assert len(str(caught.value)) < 300
    assert time.process_time() - start_s < 1


@pytest.mark.parametrize(
    ("text", "amount_micro"),
    [
        ("0.0025", 2_500),
        ("2.10 USD", 2_100_000),
        ("$2.10", 2_100_000),
        ("1,234.5 usd", 1_234_500_000),
        ("\uff04\uff13", 3_000_000),
    ],
)
def test_parse_usd_micro_reads(text: str, amount_micro: int) -> None:
    assert units.parse_usd_micro(text) == amount_micro


@pytest.mark.parametrize("text", ["", "free", "-1", "1e3", "0.0000001", "1 EUR", "1,2,3", "9" * 5_000])
def test_parse_usd_micro_refuses(text: str) -> None:
    with pytest.raises(UnreadableText):
        units.parse_usd_micro(text)


@pytest.mark.parametrize(
    ("amount_micro", "text"),
    [
        (0, "0.00 USD"),
        (2_500, "0.0025 USD"),
        (2_100_000, "2.10 USD"),
        (1_234_000_000, "1,234.00 USD"),
        (-1, "-0.000001 USD"),
    ],
)
def test_format_usd_prints(amount_micro: int, text: str) -> None:
    assert units.format_usd(amount_micro) == text


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("0.0025", Rate(2_500, Per.UNIT_HOUR, None)),
        ("0.0025 USD/unit-hour", Rate(2_500, Per.UNIT_HOUR, None)),
        ("2.1 USD/h", Rate(2_100_000, Per.DEVICE_HOUR, None)),
        ("$2.1 / GPU-hour", Rate(2_100_000, Per.DEVICE_HOUR, None)),
        ("2.1 USD/H100-hour", Rate(2_100_000, Per.DEVICE_HOUR, "H100")),
        ("2.1/RTX 4090-h", Rate(2_100_000, Per.DEVICE_HOUR, "RTX 4090")),
    ],
)
def test_parse_rate_reads(text: str, rate: Rate) -> None:
    assert units.parse_rate(text) == rate


@pytest.mark.parametrize("text", ["2.1 USD/", "2.1 USD/H100", "/h", "2.1 USD/day"])
def test_parse_rate_refuses(text: str) -> None:
    with pytest.raises(UnreadableText):
        units.parse_rate(text)


@pytest.mark.parametrize(
    ("text", "quantity"),
    [
        ("8x H100 SXM, 24h", Quantity(8, "H100 SXM", None, 24)),
        ("2x H100", Quantity(2, "H100", None, None)),
        ("2 x H100 for 3 days", Quantity(2, "H100", None, 72)),
        ("2xH100 1 week", Quantity(2, "H100", None, 168)),
        ("16 vCPU, 1h", Quantity(16, "vCPU", None, 1)),
        ("2 Xeon, 1h", Quantity(2, "Xeon", None, 1)),
        ("RTX 4090, 1 hour", Quantity(1, "RTX 4090", None, 1)),
        ("1,000x A100 PCIe 80GB, 2h", Quantity(1_000, "A100 PCIe 80GB", None, 2)),
        ("500 units", Quantity(None, None, 500, None)),
        ("1,500 units, 1h", Quantity(None, None, 1_500, 1)),
        ("1 unit", Quantity(None, None, 1, None)),
        ("8\u00d7H100\uff0c24小时", Quantity(8, "H100", None, 24)),
    ],
)
def test_parse_quantity_reads(text: str, quantity: Quantity) -> None:
    assert units.parse_quantity(text) == quantity


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("24h", "how long, but not how much"),
        ("500", "does not say of what"),
        ("500, 2h", "does not say of what"),
        ("", "neither devices nor units"),
        ("-2x H100", "neither devices nor units"),
        ("0.5x H100, 1h", "devices are whole"),
    ],
)
def test_parse_quantity_says_what_is_wrong(text: str, says: str) -> None:
    with pytest.raises(UnreadableText, match=says):
        units.parse_quantity(text)


@pytest.mark.parametrize("text", ["0x H100, 1h", "0 units", "2x H100, 0h"])
def test_parse_quantity_refuses_nothing(text: str) -> None:
    with pytest.raises(OutOfRange):
        units.parse_quantity(text)


@pytest.mark.parametrize(("text", "hours"), [("1h", 1), ("24 hours", 24), ("3 days", 72), ("1 week", 168), ("2d", 48)])
def test_parse_hours_reads(text: str, hours: int) -> None:
    assert units.parse_hours(text) == hours


@pytest.mark.parametrize("text", ["", "h", "90 min", "1.5h", "24"])
def test_parse_hours_refuses(text: str) -> None:
    with pytest.raises(UnreadableText):
        units.parse_hours(text)


@given(st.integers(min_value=0, max_value=2**25), st.integers(min_value=0, max_value=units.SECONDS_PER_HOUR - 1))
def test_hour_of_is_the_hour_in_which_a_moment_lies(hour: int, second: int) -> None:
    assert units.hour_of(units.start_of_hour(hour) + timedelta(seconds=second)) == hour


def test_hour_of_refuses_a_time_without_zone() -> None:
    with pytest.raises(UnreadableText, match="no time zone"):
        units.hour_of(datetime(2026, 1, 21, 14))


def test_hour_of_counts_in_utc() -> None:
    shanghai = timezone(timedelta(hours=8))
    assert units.hour_of(datetime(2026, 1, 21, 22, tzinfo=shanghai)) == units.hour_of(
        datetime(2026, 1, 21, 14, tzinfo=UTC)
    )


@pytest.mark.parametrize(
    "text", ["2026-01-21 14:00", "2026-01-21T14", "2026-01-21 14:00 UTC", "2026-01-21T22:00+08:00"]
)
def test_parse_hour_reads(text: str) -> None:
    assert units.start_of_hour(units.parse_hour(text)) == datetime(2026, 1, 21, 14, tzinfo=UTC)


@pytest.mark.parametrize("text", ["", "noon", "2026-01-21 14:30", "1969-12-31 23:00"])
def test_parse_hour_refuses(text: str) -> None:
    with pytest.raises(UnreadableText):
        units.parse_hour(text)


@pytest.mark.parametrize("hour", [-1, 2**32 - 1])
def test_start_of_hour_raises_beyond_the_calendar(hour: int) -> None:
    with pytest.raises(OutOfRange):
        units.start_of_hour(hour)


@pytest.mark.parametrize("text", ["", "5", "0.001 %", "1.5 bp", "half"])
def test_parse_bp_refuses(text: str) -> None:
    with pytest.raises(UnreadableText):
        units.parse_bp(text)


@pytest.mark.parametrize("text", ["", "1.2345", "two units", "-1"])
def test_parse_milli_units_refuses(text: str) -> None:
    with pytest.raises(UnreadableText):
        units.parse_milli_units(text)


@given(AMOUNTS, st.integers(min_value=0, max_value=units.BP_PER_ONE))
def test_shares_round_as_named_and_leave_nothing_over(amount: int, bp: int) -> None:
    down, up = units.share_down(amount, bp), units.share_up(amount, bp)
    assert down * units.BP_PER_ONE <= amount * bp <= up * units.BP_PER_ONE
    assert up - down <= 1
    assert down + units.share_up(amount, units.BP_PER_ONE - bp) == amount


@given(AMOUNTS)
def test_whole_units_never_promise_a_part(milli_units: int) -> None:
    whole = units.whole_units(milli_units)
    assert whole * units.MILLI_PER_UNIT <= milli_units < (whole + 1) * units.MILLI_PER_UNIT
