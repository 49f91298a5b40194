"""Integers with units, and the texts that people write for them.

Money is micro-dollars (millionths of the settlement currency), capacity is units or milli-units, shares are basis
points, time is whole hours since the epoch. Decimals are read digit by digit: no float, no rounding.
"""

import re
import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum

from ledger.errors import OutOfRange, UnreadableText

MICRO_PER_USD = 1_000_000
MILLI_PER_UNIT = 1_000
BP_PER_ONE = 10_000
SECONDS_PER_HOUR = 3_600
HOURS_PER_DAY = 24

TEXT_MAX = 200
"""How many characters are read as an amount, a price or a time. What people write is far shorter, and some patterns
take time that grows with the square of the length."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_DATED_HOUR = int((datetime(9999, 12, 31, 23, tzinfo=UTC) - _EPOCH).total_seconds()) // SECONDS_PER_HOUR

# Twenty digits are more than any amount on chain, and few enough for `int`.
_NUMBER = r"[0-9]{1,20}(?:[,_][0-9]{3}){0,6}"
_DECIMAL = rf"{_NUMBER}(?:\.[0-9]{{1,20}})?"
_HOURS_BY_WORD = {
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours", "小时"), 1),
    **dict.fromkeys(("d", "day", "days", "天"), HOURS_PER_DAY),
    **dict.fromkeys(("w", "week", "weeks", "周"), 7 * HOURS_PER_DAY),
}
_DURATION = rf"(?P<time>{_NUMBER})\s*(?P<word>{'|'.join(sorted(_HOURS_BY_WORD, key=len, reverse=True))})"
_DURATION_TEXT = re.compile(_DURATION, re.IGNORECASE)
_AMOUNT_AND_DURATION = re.compile(rf"(?P<amount>.*?)(?:[\s,;]+for|\s*[,;]|\s)\s*{_DURATION}", re.IGNORECASE)
_UNITS_TEXT = re.compile(rf"(?P<units>{_NUMBER})\s*(?:units?|单位)", re.IGNORECASE)
_DEVICES_TEXT = re.compile(rf"(?:(?P<count>{_NUMBER})(?:x\s*|\s+x\s+|\s+))?(?P<device>[^\W_].*)", re.IGNORECASE)
_MONEY_TEXT = re.compile(rf"\$?\s*(?P<number>{_DECIMAL})\s*(?:usd|usdc|dollars?|\$)?", re.IGNORECASE)
_PER_TEXT = re.compile(r"(?P<holder>.*?)[\s-]*(?:hours?|hr|h|小时)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Quantity:
    """What someone wants, as written: `count` pieces of `device` (a name not yet looked up) or so many `units`,
    for `hours` (None: not said). Exactly one of (`count` and `device`) and `units` is there."""

    count: int | None
    device: str | None
    units: int | None
    hours: int | None


class Per(Enum):
    """What a price is for."""

    UNIT_HOUR = "unit-hour"
    DEVICE_HOUR = "device-hour"


@dataclass(frozen=True, slots=True)
class Rate:
    """A price as written: `amount_micro` per unit-hour, or per hour of one `device` (None: of the one in question)."""

    amount_micro: int
    per: Per
    device: str | None


# ---- money


def parse_usd_micro(text: str) -> int:
    """Micro-dollars from `"2.10 USD"`, `"$2.10"` or `"0.0025"`. Raises UnreadableText, also beyond six decimals."""
    match = _MONEY_TEXT.fullmatch(_plain(text))
    if match is None:
        raise UnreadableText("an amount of money", text, "it is not a number of dollars", "2.10 USD")
    micro = _scaled(match["number"], decimals=6)
    if micro is None:
        raise UnreadableText("an amount of money", text, "it has more than six decimals", "0.0025 USD")
    return micro


def format_usd(amount_micro: int) -> str:
    """`2_100_000` as `"2.10 USD"`: at least two decimals, at most six, nothing rounded away."""
    sign = "-" if amount_micro < 0 else ""
    dollars, micro = divmod(abs(amount_micro), MICRO_PER_USD)
    decimals = f"{micro:06d}".rstrip("0").ljust(2, "0")
    return f"{sign}{dollars:,}.{decimals} USD"


def parse_rate(text: str) -> Rate:
    """A price from `"0.0025"` (per unit-hour), `"2.1 USD/h"` (per device-hour) or `"2.1 USD/H100-hour"`.

    Raises UnreadableText.
    """
    money, slash, per = _plain(text).partition("/")
    amount_micro = parse_usd_micro(money)
    if not slash:
        return Rate(amount_micro, Per.UNIT_HOUR, None)
    hourly = _PER_TEXT.fullmatch(per.strip())
    if hourly is None:
        raise UnreadableText("a price", text, "what follows '/' is not an hour of something", "0.0025 USD/unit-hour")
    holder = hourly["holder"].strip()
    if holder.casefold() in ("unit", "u"):
        return Rate(amount_micro, Per.UNIT_HOUR, None)
    if holder.casefold() in ("", "gpu", "device", "card"):
        return Rate(amount_micro, Per.DEVICE_HOUR, None)
    return Rate(amount_micro, Per.DEVICE_HOUR, holder)


# ---- capacity


def parse_quantity(text: str) -> Quantity:
    """An amount of compute from `"8x H100 SXM, 24h"`, `"2x H100"`, `"H100 for 3 days"` or `"500 units, 1h"`.

    Whether there is such a device is for the standard to say. Raises UnreadableText, and OutOfRange for zero.
    """
    plain = _plain(text)
    timed = _AMOUNT_AND_DURATION.fullmatch(plain)
    hours = _hours(timed) if timed else None
    amount = timed["amount"].strip() if timed else plain
    if _DURATION_TEXT.fullmatch(amount):
        raise UnreadableText("an amount of compute", text, "it says how long, but not how much", "8x H100 SXM, 24h")
    if as_units := _UNITS_TEXT.fullmatch(amount):
        return Quantity(None, None, _at_least_one("units", as_units["units"]), hours)
    if _MONEY_TEXT.fullmatch(amount):
        raise UnreadableText("an amount of compute", text, "it does not say of what", f"{amount} units")
    as_devices = _DEVICES_TEXT.fullmatch(amount)
    if as_devices is None:
        raise UnreadableText("an amount of compute", text, "it names neither devices nor units", "8x H100 SXM, 24h")
    if re.match(r"[0-9]*\.[0-9]", as_devices["device"]):
        raise UnreadableText("an amount of compute", text, "devices are whole; parts are units", "500 units, 24h")
    count = _at_least_one("number of devices", as_devices["count"] or "1")
    return Quantity(count, as_devices["device"].strip(), None, hours)


def format_units(units: int) -> str:
    """`1000` as `"1,000 units"`."""
    return f"{units:,} unit{'' if units == 1 else 's'}"


def parse_milli_units(text: str) -> int:
    """Milli-units from `"1.5 units"` or `"1.5"`. Raises UnreadableText; finer than a milli-unit is refused."""
    number = re.fullmatch(rf"(?P<number>{_DECIMAL})\s*(?:units?|单位)?", _plain(text), re.IGNORECASE)
    if number is None:
        raise UnreadableText("an amount of units", text, "it is not a number of units", "1.5 units")
    milli = _scaled(number["number"], decimals=3)
    if milli is None:
        raise UnreadableText("an amount of units", text, "it has more than three decimals", "1.5 units")
    return milli


def format_milli_units(milli_units: int) -> str:
    """`1_500` milli-units as `"1.5 units"`, nothing rounded away."""
    units, milli = divmod(milli_units, MILLI_PER_UNIT)
    decimals = f".{milli:03d}".rstrip("0").rstrip(".")
    return f"{units:,}{decimals} unit{'' if milli_units == MILLI_PER_UNIT else 's'}"


def whole_units(milli_units: int) -> int:
    """The whole units in `milli_units`, rounded down: nobody may sell a unit that is not entirely there."""
    return milli_units // MILLI_PER_UNIT


# ---- shares


def parse_bp(text: str) -> int:
    """Basis points from `"5 %"`, `"99.9%"` or `"500 bp"`. Raises UnreadableText; finer than one bp is refused."""
    match = re.fullmatch(rf"(?P<number>{_DECIMAL})\s*(?P<unit>%|bps?)", _plain(text), re.IGNORECASE)
    if match is None:
        raise UnreadableText("a share", text, "it is neither per cent nor basis points", "99.9 %")
    bp = _scaled(match["number"], decimals=2 if match["unit"] == "%" else 0)
    if bp is None:
        raise UnreadableText("a share", text, "it is finer than one basis point", "99.95 %")
    return bp


def format_bp(bp: int) -> str:
    """`9_990` as `"99.9 %"`."""
    percent, rest = divmod(bp, 100)
    decimals = f".{rest:02d}".rstrip("0").rstrip(".")
    return f"{percent}{decimals} %"


def share_down(amount: int, bp: int) -> int:
    """`bp` basis points of `amount`, rounded down."""
    return amount * bp // BP_PER_ONE


def share_up(amount: int, bp: int) -> int:
    """`bp` basis points of `amount`, rounded up."""
    return -(-amount * bp // BP_PER_ONE)


# ---- time


def parse_hours(text: str) -> int:
    """A length in hours from `"1h"`, `"3 days"` or `"1 week"`. Raises UnreadableText, and OutOfRange for zero."""
    match = _DURATION_TEXT.fullmatch(_plain(text))
    if match is None:
        raise UnreadableText("a length of time", text, "it is not a number of hours, days or weeks", "24h")
    return _hours(match)


def format_hours(hours: int) -> str:
    """`72` as `"72h"`."""
    return f"{hours}h"


def hour_of(moment: datetime) -> int:
    """The hour since the epoch in which `moment` lies. Raises UnreadableText for a time without a zone."""
    if moment.tzinfo is None:
        raise UnreadableText("a time", moment.isoformat(), "it has no time zone", "2026-01-21 14:00 UTC")
    return (moment - _EPOCH) // timedelta(hours=1)


def start_of_hour(hour: int) -> datetime:
    """When `hour` begins, in UTC. Raises OutOfRange beyond the year 9999."""
    if not 0 <= hour <= _LAST_DATED_HOUR:
        raise OutOfRange("hour since the epoch", hour, 0, _LAST_DATED_HOUR)
    return _EPOCH + timedelta(hours=hour)


def parse_hour(text: str) -> int:
    """The hour since the epoch that begins at `"2026-01-21 14:00"` (UTC unless a zone is given) or is `"hour 491390"`.

    Raises UnreadableText, also when the time is not a whole hour.
    """
    plain = _plain(text)
    if numbered := re.fullmatch(r"hour[T\s]*([0-9]{1,10})", plain, re.IGNORECASE):
        return int(numbered[1])
    try:
        moment = datetime.fromisoformat(re.sub(r"\s*UTC$", "+00:00", plain))
    except ValueError:
        raise UnreadableText("an hour", text, "it is not a date and time", "2026-01-21 14:00 UTC") from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    hour = hour_of(moment)
    if hour < 0 or start_of_hour(hour) != moment:
        raise UnreadableText("an hour", text, "it is not the start of a whole hour since 1970", "2026-01-21 14:00 UTC")
    return hour


def format_hour(hour: int) -> str:
    """`491390` as `"2026-01-21 14:00 UTC"`, one beyond the calendar as `"hour 4294967295"`; `parse_hour` undoes it."""
    if hour > _LAST_DATED_HOUR:
        return f"hour {hour}"
    return f"{start_of_hour(hour):%Y-%m-%d %H:%M} UTC"


def format_time(time_s: int) -> str:
    """Seconds since the epoch as `2026-01-21 14:05:30 UTC`."""
    minute, second = divmod(time_s % SECONDS_PER_HOUR, 60)
    return format_hour(time_s // SECONDS_PER_HOUR).replace(":00 UTC", f":{minute:02d}:{second:02d} UTC")


# ---- shared by the parsers


def _plain(text: str) -> str:
    # NFKC turns full-width commas, digits and signs into plain ones; the sign of multiplication it leaves.
    # It may also make a text longer: what is read is what is measured.
    plain = text if len(text) > TEXT_MAX else unicodedata.normalize("NFKC", text).replace("\u00d7", "x").strip()
    if len(plain) > TEXT_MAX:
        why = f"it has {len(plain)} characters, and {TEXT_MAX} at most are read"
        raise UnreadableText("a text", f"{text[:20]}...", why, "8x H100 SXM, 24h")
    return plain


def _integer(text: str) -> int:
    return int(re.sub("[,_]", "", text))


def _scaled(text: str, decimals: int) -> int | None:
    """`text` times ten to the power of `decimals`; None where that is not whole."""
    whole, _, fraction = text.partition(".")
    fraction = fraction.rstrip("0")
    if len(fraction) > decimals:
        return None
    return _integer(whole + fraction.ljust(decimals, "0"))


def _hours(match: re.Match[str]) -> int:
    return _at_least_one("number of hours", match["time"]) * _HOURS_BY_WORD[match["word"].casefold()]


def _at_least_one(name: str, text: str) -> int:
    value = _integer(text)
    if value < 1:
        raise OutOfRange(name, value, 1, 2**64 - 1)
    return value
