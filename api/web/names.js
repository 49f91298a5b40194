// Names of products and places for people.
import { place, say, t } from "/web/i18n.js";
import { day, clockTime, hoursText, percent, currentZone } from "/web/format.js";
import { areaOf, classes, classOf, grades, latencyOf, promiseOf, tiers } from "/web/market.js";

const zoneName = () => (currentZone() === "utc" ? "UTC" : t("time.local"));

export const placeName = (area) => (area ? place(area.name) : t("place.anywhere"));
export const className = (name) => say("class", name);
export const tierName = (tier) => t("tier.name", { name: say("tier", tier), ms: latencyOf(tier) });
export const gradeName = (grade) => t("grade.name", { name: say("grade", grade), share: percent(promiseOf(grade)) });
export const where = (product) => t("place.tier", { place: placeName(product.area), ms: latencyOf(product.tier) });
export const starts = (product) => t("window.start", { day: day(product.start_s), clock: clockTime(product.start_s), zone: zoneName() });
export const when = (product) => t("window.text", { day: day(product.start_s), clock: clockTime(product.start_s), zone: zoneName(), hours: hoursText(product.hours) });
export const productName = (product) => `${className(product.class)} · ${placeName(product.area)} · ${when(product)}`;
/** A product's parts from its code, as AI_LARGE.HUB.256.STANDARD.2026-01-21T14.24h. */
export function productOf(code) {
  const [name, tier, area, grade, start, hours] = code.split(".");
  const start_s = Date.parse(`${start}:00:00Z`) / 1000;
  const length = Number.parseInt(hours, 10);
  return { product: code, class: name, class_id: classOf(name)?.class_id ?? 0, tier, area: areaOf(Number(area)), grade, start_s, end_s: start_s + length * 3600, hours: length };
}
const HOURS_MAX = 70_000_000;

/** A product's code from its token id: class 8 bits, tier 8, area 16, grade 8, start 32, hours 16. Null for no product. */
export function codeOf(id) {
  let rest;
  try {
    rest = BigInt(id);
  } catch {
    return null;
  }
  const take = (bits) => {
    const part = Number(BigInt.asUintN(bits, rest));
    rest >>= BigInt(bits);
    return part;
  };
  const [hours, start_hour, grade, area, tier, class_id] = [take(16), take(32), take(8), take(16), take(8), take(8)];
  const [named, near, promised] = [classes().find((each) => each.class_id === class_id)?.class, tiers()[tier - 1], grades()[grade - 1]];
  // No date has more than four digits of a year here.
  if (rest || start_hour > HOURS_MAX || !named || !near || !promised) return null;
  return `${named}.${near}.${area}.${promised}.${new Date(start_hour * 3_600_000).toISOString().slice(0, 13)}.${hours}h`;
}
export const productLink = (product, search = "") => `#/product/${encodeURIComponent(product.product)}${search}`;
