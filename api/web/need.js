// Reads what someone needs from their own words: "8x H100, 24h, Frankfurt, from tomorrow". What it finds is shown back
// as fields; the amount itself ("8x H100, 24h") is for the standard to convert.
import { facts, get, Problem, query } from "/web/http.js";
import { t, translatedPlaces } from "/web/i18n.js";
import { areas, hubOf } from "/web/market.js";
import { placeName } from "/web/names.js";

const HOUR_S = 3600;
const DAY_S = 86400;
const DAYS = [
  [/\b(?:from|starting|starts?|on)?\s*day after tomorrow\b|从?后天/i, 2],
  [/\b(?:from|starting|starts?|on)?\s*tomorrow\b|从?明天/i, 1],
  [/\b(?:from|starting|starts?|on)?\s*today\b|从?今天/i, 0],
];
const DATE = /\b(?:from|starting|starts?|on)?\s*(\d{4}-\d{2}-\d{2})(?:[T ](\d{2})(?::00)?)?(?:\s*UTC)?/i;
const CLASSES = [
  [/\bhpc\b/i, "HPC"],
  [/\bvcpus?\b/i, "GENERAL"],
];
const plain = (text) => text.toLowerCase().normalize("NFKD").replace(/[\u0300-\u036f]/g, "");

/**
 * {amount, area, start_s, class}: the parts of `text`; null for what it does not say. Raises a Problem for a part that is
 * neither amount, place nor day: most often a place that is not spelled so.
 */
export function read(text, time_s) {
  let rest = ` ${text.replace(/[，、；]/g, ",").replaceAll("×", "x").replace(/(\d+)\s*块\s*/g, "$1x ")} `;
  const said = { amount: "", area: null, start_s: null, class: null };
  [rest, said.start_s] = takeStart(rest, time_s);
  [rest, said.area] = takeArea(rest);
  for (const [pattern, name] of CLASSES) if (pattern.test(rest)) said.class = name;
  if (said.class === "HPC") rest = rest.replace(/\bhpc\b/i, "");
  const parts = rest
    .replace(/\b(?:i need|need|please|in|at|near|around|for a job)\b(?!\s*\d)/gi, " ")
    .replace(/[在于]/g, " ")
    .split(",")
    .map((part) => part.replace(/\s+/g, " ").trim())
    .filter(Boolean);
  const strange = parts.length > 1 && parts.find((part) => !/\d/.test(part));
  if (strange) throw unknown(strange);
  said.amount = parts.join(", ");
  return said;
}

const NEAR = 3;

function unknown(word) {
  const names = areas().map((area) => placeName(area));
  const distances = names.map((name) => [distance(plain(word), plain(name)), name]).sort(([one], [other]) => one - other);
  const close = distances.filter(([apart, name]) => apart <= Math.max(2, name.length / 3)).slice(0, NEAR).map(([, name]) => name);
  return new Problem({ detail: t("need.unknown", { word }), remedy: close.length ? t("need.near", { names: close.join(" / ") }) : t("need.remedy") });
}

/** How many letters must be changed, left out or put in to make one word of the other. */
function distance(one, other) {
  let row = Array.from({ length: other.length + 1 }, (_, place) => place);
  for (let i = 1; i <= one.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= other.length; j += 1) next.push(Math.min(next[j - 1] + 1, row[j] + 1, row[j - 1] + (one[i - 1] === other[j - 1] ? 0 : 1)));
    row = next;
  }
  return row[other.length];
}

function takeStart(text, time_s) {
  const midnight = Math.floor(time_s / DAY_S) * DAY_S;
  const date = text.match(DATE);
  if (date) return [text.replace(date[0], " "), Date.parse(`${date[1]}T${date[2] ?? "00"}:00:00Z`) / 1000];
  for (const [pattern, days] of DAYS) {
    if (!pattern.test(text)) continue;
    const start = days ? midnight + days * DAY_S : (Math.floor(time_s / HOUR_S) + 1) * HOUR_S;
    return [text.replace(pattern, " "), start];
  }
  return [text, null];
}

/** The longest area name that the text holds, so that "US-East" is not found in "US-Eastern-Something". */
function takeArea(text) {
  const translated = translatedPlaces();
  const spelled = plain(text);
  const names = areas().flatMap((area) => [[area.name, area], ...(translated[area.name] ? [[translated[area.name], area]] : [])]);
  const found = names
    .filter(([name]) => spelled.includes(plain(name)))
    .sort((one, other) => other[0].length - one[0].length)[0];
  if (!found) return [text, null];
  const start = spelled.indexOf(plain(found[0]));
  // Accents come apart in `spelled`, so the cut may be off by as many letters: names with accents are cut by word.
  const cut = spelled.length === text.length ? text.slice(0, start) + " " + text.slice(start + found[0].length) : text.replace(found[0], " ");
  return [cut, found[1]];
}

/** What an amount is in units: {device, count, class, class_id, units, hours, unit_hours}. Raises a Problem. */
export const convert = async (amount, className = null) => facts(await get(`/standard/convert${query({ text: amount, class: className })}`));

/** Where units may come from for someone in `area`, nearest first: the metro, its hub, anywhere. */
export function reaches(area) {
  const hub = area ? hubOf(area.code) : null;
  return [
    ...(area && !area.is_hub ? [{ tier: "METRO", area }] : []),
    ...(hub ? [{ tier: "HUB", area: hub }] : []),
    { tier: "WIDE", area: null },
  ];
}

/**
 * The products that would serve, best first: those that trade, of the class and the hours, near enough, not before the
 * start; those with a price or orders before those without.
 */
export function matching(products, { classId, hours, area, start_s, now_s }) {
  const near = reaches(area);
  const serves = (product) =>
    product.class_id === classId &&
    product.hours === hours &&
    product.closes_s > now_s &&
    (start_s === null || product.start_s >= start_s) &&
    (area === null || near.some((each) => each.tier === product.tier && (each.area?.code ?? 0) === (product.area?.code ?? 0)));
  const score = (product) => [product.last || product.orders_open ? 0 : 1, start_s === null ? 0 : product.start_s - start_s, near.findIndex((each) => each.tier === product.tier), product.last?.price?.price_micro ?? Infinity];
  return products.filter(serves).sort((one, other) => {
    const [a, b] = [score(one), score(other)];
    const place = a.findIndex((value, index) => value !== b[index]);
    return place < 0 ? 0 : a[place] - b[place];
  });
}
