// Numbers, money and times as the reader writes them; each with its unit. Money is micro-dollars, as text or number.
import { keep, locale, recalled, t } from "/web/i18n.js";

const MICRO = 1_000_000n;
export const HOUR_S = 3600;

/** Which clock is shown: "utc" or "local". The other one stands in the title. */
let zone = recalled("zone") ?? "utc";
export const currentZone = () => zone;
export function setZone(next) {
  zone = next;
  keep("zone", next);
}

const cache = new Map();
function formatter(kind, options) {
  const name = locale() + kind.name + JSON.stringify(options);
  if (!cache.has(name)) cache.set(name, new kind(locale(), options));
  return cache.get(name);
}

export const number = (value, digits = 0) =>
  formatter(Intl.NumberFormat, { maximumFractionDigits: digits, minimumFractionDigits: 0 }).format(value);

export const compact = (value) =>
  value < 10_000 ? number(value) : formatter(Intl.NumberFormat, { notation: "compact", maximumFractionDigits: 1 }).format(value);

/** `"2400000"` as 2.40, to at least two decimals; nothing is rounded away unless `most` says so. */
export function dollars(micro, most = 6, least = 2) {
  const value = BigInt(micro ?? 0);
  const size = value < 0n ? -value : value;
  const text = `${value < 0n ? "-" : ""}${size / MICRO}.${String(size % MICRO).padStart(6, "0")}`;
  return formatter(Intl.NumberFormat, { minimumFractionDigits: least, maximumFractionDigits: most }).format(text);
}

export const usd = (micro, most = 2) => t("unit.usd", { amount: dollars(micro, most) });

export const units = (count) => t("unit.units", { count: number(count) });

/** Classes whose unit is a thousandth of an H100; of the others one unit is the thing itself. */
const REFERENCE = { 1: 1000, 2: 1000, 3: 1000, 4: 1 };
export const referenceOf = (classId) => REFERENCE[classId] ?? 1;
export const referenceName = (classId) => t(classId === 4 ? "unit.vcpuHour" : classId > 4 ? "unit.unitHour" : "unit.h100Hour");

/** What a price is in: "USD / H100-hour". */
export const perReference = (classId) => t("unit.per", { what: referenceName(classId) });

export const microOf = (price) => (typeof price === "number" ? price : (price?.price_micro ?? null));

/** A price per hour of the class's reference, always with as many decimals, so that they stand in line: "2.400". */
export function referencePrice(price, classId) {
  const micro = microOf(price);
  const decimals = referenceOf(classId) === 1 ? 4 : 3;
  return micro === null ? "–" : dollars(BigInt(micro) * BigInt(referenceOf(classId)), decimals, decimals);
}

/** The same with its unit: "2.40 USD / H100-hour". */
export const referenceText = (price, classId) =>
  t("unit.usdPer", { amount: referencePrice(price, classId), what: referenceName(classId) });

export const unitPriceText = (price) =>
  t("unit.usdPer", { amount: dollars(microOf(price) ?? 0, 6), what: t("unit.unitHour") });

export const percent = (bp, digits = 1) =>
  formatter(Intl.NumberFormat, { style: "percent", maximumFractionDigits: digits }).format(bp / 10_000);

export const change = (bp) =>
  formatter(Intl.NumberFormat, { style: "percent", maximumFractionDigits: 1, signDisplay: "exceptZero" }).format(bp / 10_000);

const DAY = { day: "numeric", month: "short" };
const CLOCK = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };

function at(time_s, options, which = zone) {
  return formatter(Intl.DateTimeFormat, which === "utc" ? { ...options, timeZone: "UTC" } : options).format(new Date(time_s * 1000));
}

const zoneName = (which) => (which === "utc" ? "UTC" : t("time.local"));

/** "24 Nov, 14:00 UTC" in the chosen zone. */
export const moment = (time_s, which = zone) => `${at(time_s, { ...DAY, ...CLOCK }, which)} ${zoneName(which)}`;
export const momentBoth = (time_s) => `${moment(time_s, "utc")} · ${moment(time_s, "local")}`;
export const day = (time_s) => at(time_s, { weekday: "short", ...DAY });
export const clockTime = (time_s) => at(time_s, CLOCK);
export const clockSeconds = (time_s) => at(time_s, { ...CLOCK, second: "2-digit" });

/** "24 Nov 14:00 → 25 Nov 14:00 UTC". */
export function windowText(start_s, end_s) {
  return `${at(start_s, { ...DAY, ...CLOCK })} → ${at(end_s, { ...DAY, ...CLOCK })} ${zoneName(zone)}`;
}

export const hoursText = (hours) => t("unit.hours", { count: number(hours) });

/** "0:42", "3:05:10", "2 d 4 h". */
export function countdown(left_s) {
  if (left_s <= 0) return t("time.now");
  const days = Math.floor(left_s / 86400);
  const hours = Math.floor((left_s % 86400) / HOUR_S);
  if (days > 0) return t("time.daysHours", { days, hours });
  const minutes = Math.floor((left_s % HOUR_S) / 60);
  const seconds = String(left_s % 60).padStart(2, "0");
  return hours > 0 ? `${hours}:${String(minutes).padStart(2, "0")}:${seconds}` : `${minutes}:${seconds}`;
}

export const short = (text, head = 6, tail = 4) =>
  text && text.length > head + tail + 3 ? `${text.slice(0, head)}…${text.slice(-tail)}` : (text ?? "");
