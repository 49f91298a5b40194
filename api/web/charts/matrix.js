// Sites by hours: what of the jobs runs where and when, what it costs there, and what one more unit would be worth.
import { h, put } from "/web/dom.js";
import { clockTime, compact, currentZone, day, dollars, number, unitPriceText, units } from "/web/format.js";
import { t } from "/web/i18n.js";
import { placeName } from "/web/names.js";
import { chips } from "/web/parts/fields.js";

const [SITES_MAX, HOURS_MAX] = [30, 72];
const HOUR_S = 3600;

/** What was chosen stays chosen when the plan is asked for again. */
let chosen = "units";

/** The matrix of a /dispatch/preview answer, with a choice of what its cells show. */
export function matrix(plan) {
  const grid = gather(plan);
  const box = h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": t("jobs.matrix") });
  const reading = h("p", { class: "reading", "aria-live": "polite" });
  const quiet = () => put(reading, t("jobs.hours", { zone: currentZone() === "utc" ? "UTC" : t("time.local") }));
  const draw = (shown) => {
    chosen = shown;
    put(box, drawn(grid, shown, reading));
  };
  const kinds = [["units", t("jobs.showUnits")], ["price", t("jobs.showPrice")], ["worth", t("jobs.showWorth")]];
  draw(chosen);
  quiet();
  box.addEventListener("pointerleave", quiet);
  return h("figure", { class: "matrixbox" }, chips(t("jobs.matrixShow"), kinds, chosen, draw), box, reading);
}

/** {sites, hours, cells, more}: rows by how much runs there, columns by time. */
function gather(plan) {
  const cells = new Map();
  const sites = new Map();
  const hours = new Set();
  for (const each of plan.placements) {
    const key = `${each.site} ${each.hour}`;
    const cell = cells.get(key) ?? { site: each.site, hour: each.hour, units: 0, micro: 0, held: true, jobs: new Set() };
    cell.units += each.units;
    cell.micro += each.units * each.price_micro;
    cell.held &&= each.held;
    cell.jobs.add(each.name);
    cells.set(key, cell);
    const site = sites.get(each.site) ?? { site: each.site, metro: each.metro, latency_us: 0, units: 0 };
    site.units += each.units;
    site.latency_us = Math.max(site.latency_us, each.latency_us ?? 0);
    sites.set(each.site, site);
    hours.add(each.hour);
  }
  for (const each of plan.prices ?? []) {
    const cell = cells.get(`${each.site} ${each.hour}`);
    if (cell) cell.worth = each;
  }
  const rows = [...sites.values()].sort((one, other) => other.units - one.units || one.site - other.site);
  const columns = spread([...hours].sort((one, other) => one - other));
  const most = Math.max(1, ...[...cells.values()].map((cell) => cell.units));
  return { cells, rows, columns, most };
}

/** The hours between the first and the last, where they are few enough to show the gaps as well. */
function spread(hours) {
  if (!hours.length || hours.at(-1) - hours[0] >= HOURS_MAX) return hours;
  return Array.from({ length: hours.at(-1) - hours[0] + 1 }, (_, index) => hours[0] + index);
}

function drawn({ cells, rows, columns, most }, shown, reading) {
  const shownRows = rows.slice(0, SITES_MAX);
  const shownColumns = columns.slice(0, HOURS_MAX);
  const head = shownColumns.map((hour, index) => h("th", { scope: "col", title: whenText(hour) }, index === 0 || clock(hour).startsWith("00") ? h("span", { class: "day" }, day(hour * HOUR_S)) : null, clock(hour).slice(0, 2)));
  const line = (row) => h("tr", {}, h("th", { scope: "row" }, t("site.name", { site: number(row.site) }), h("small", {}, placeName(row.metro), row.latency_us ? ` · ${t("unit.ms", { count: number(row.latency_us / 1000, 1) })}` : "")), shownColumns.map((hour) => cellOf(cells.get(`${row.site} ${hour}`), hour, most, shown, reading)));
  const more = [rows.length > SITES_MAX ? t("jobs.moreSites", { count: number(rows.length - SITES_MAX) }) : "", columns.length > HOURS_MAX ? t("jobs.moreHours", { count: number(columns.length - HOURS_MAX) }) : ""].filter(Boolean);
  return [h("table", { class: "matrix" }, h("caption", {}, t("jobs.matrix")), h("thead", {}, h("tr", {}, h("th", { scope: "col" }, t("col.site")), head)), h("tbody", {}, shownRows.map(line))), more.length ? h("p", { class: "fine" }, more.join(", ")) : null];
}

const clock = (hour) => clockTime(hour * HOUR_S);
const whenText = (hour) => `${day(hour * HOUR_S)}, ${clock(hour)}`;

function cellOf(cell, hour, most, shown, reading) {
  const said = cell ? describe(cell) : t("jobs.cellEmpty", { when: whenText(hour) });
  const level = cell ? Math.max(1, Math.ceil((cell.units / most) * 5)) : 0;
  return h("td", { class: `level${level}`, title: said, onpointerenter: () => put(reading, said) }, cell ? valueOf(cell, shown) : "");
}

function valueOf(cell, shown) {
  if (shown === "price") return cell.held ? "0" : dollars(Math.round(cell.micro / cell.units));
  if (shown === "worth") return cell.worth ? dollars(cell.worth.price_micro) : "–";
  return compact(cell.units);
}

function describe(cell) {
  const price = cell.held ? t("jobs.held") : unitPriceText(Math.round(cell.micro / cell.units));
  const worth = cell.worth ? t(cell.worth.scarce ? "jobs.scarce" : "jobs.worth", { price: unitPriceText(cell.worth.price_micro) }) : "";
  return t("jobs.cell", { when: whenText(cell.hour), units: units(cell.units), price, worth, jobs: [...cell.jobs].slice(0, 4).join(", ") });
}
