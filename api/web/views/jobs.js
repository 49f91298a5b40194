// A job in words: what it is in units, where it would run, what it costs there.
import { now } from "/web/clock.js";
import { h, put } from "/web/dom.js";
import { hoursText, number, referenceName, referencePrice, units, usd } from "/web/format.js";
import { all, get, query } from "/web/http.js";
import { t, say } from "/web/i18n.js";
import { latencyOf } from "/web/market.js";
import { className, placeName, productLink, when } from "/web/names.js";
import { convert, matching, read } from "/web/need.js";
import { paused, section, table } from "/web/parts/fields.js";
import { nothing, problemBox } from "/web/parts/notice.js";
import { record, serves, trust } from "/web/parts/redeem.js";

const SITES_MAX = 10;
const HOUR_S = 3600;

export async function open(_, options) {
  const words = h("input", { class: "need", type: "text", id: "job", value: options.get("q") ?? t("jobs.example"), autocomplete: "off", spellcheck: "false" });
  const box = h("div", { class: "stack", "aria-live": "polite" });
  const state = { turn: 0, products: [], sites: [] };
  const search = async () => {
    const mine = ++state.turn;
    try {
      const need = read(words.value, now());
      const amount = await convert(need.amount || words.value, need.class);
      if (mine === state.turn) put(box, plan(need, amount, state));
    } catch (error) {
      if (mine === state.turn) put(box, problemBox(error));
    }
  };
  words.addEventListener("input", paused(search, 300));
  [state.products, state.sites] = await Promise.all([all(`/products${query({ open: true, limit: 200 })}`, 1000), all("/sites", 500)]).then((answers) => answers.map((each) => each.data));
  search();
  const tries = ["8x H100, 24h in Frankfurt", "64x A100, 24h, tomorrow", "32 vCPU, 1h"];
  const use = (text) => () => {
    words.value = text;
    search();
  };
  const node = h(
    "div",
    { class: "page" },
    h("header", { class: "title" }, h("h1", {}, t("jobs.title")), h("p", { class: "lead" }, t("jobs.lead"))),
    h("form", { class: "buyline", onsubmit: (event) => event.preventDefault() }, h("label", { class: "label", for: "job" }, t("jobs.label")), words, h("div", { class: "chips" }, tries.map((text) => h("button", { type: "button", class: "chip", onclick: use(text) }, text)))),
    box,
  );
  return { node, title: t("jobs.title") };
}

function plan(need, amount, state) {
  const wanted = { classId: amount.class_id, hours: amount.hours, area: need.area, start_s: need.start_s, now_s: now() };
  const exact = matching(state.products, wanted);
  const near = exact.length ? [] : matching(state.products, { ...wanted, hours: 24, start_s: null, area: null }).slice(0, 5);
  return [conversion(need, amount), section(t("jobs.products"), exact.length ? productRows(exact, amount, state) : [nothing(t("jobs.noExact")), near.length ? productRows(near, amount, state) : null], null, { class: "card" }), section(t("jobs.sites"), siteRows(need, amount, state, exact), null, { class: "card" }), h("p", { class: "fine" }, t("jobs.honest"))];
}

/** The steps from words to unit-hours, each with its unit. */
function conversion(need, amount) {
  const step = (value, name) => h("div", { class: "step" }, h("span", { class: "figure" }, value), h("span", { class: "below" }, name));
  const sign = (text) => h("span", { class: "sign", "aria-hidden": "true" }, text);
  const rate = amount.count ? number(amount.units / amount.count, 1) : null;
  return h(
    "div",
    { class: "steps card" },
    amount.device ? [step(number(amount.count), amount.device), sign("×"), step(rate, t("jobs.unitsEach")), sign("=")] : null,
    step(number(amount.units), t("jobs.unitsOf", { class: className(amount.class) })),
    sign("×"),
    step(hoursText(amount.hours), need.area ? placeName(need.area) : t("place.anywhere")),
    sign("="),
    step(number(amount.unit_hours ?? amount.units * amount.hours), t("jobs.unitHours")),
  );
}

function productRows(products, amount, state) {
  const cost = (row) => (row.last ? usd(BigInt(row.last.price.price_micro) * BigInt(amount.units) * BigInt(row.hours)) : "–");
  const cheapest = products.filter((each) => each.last).sort((one, other) => one.last.price.price_micro - other.last.price.price_micro)[0];
  return table(
    t("jobs.products"),
    [
      [t("col.product"), (row) => h("a", { href: productLink(row, `?units=${amount.units}`) }, h("strong", {}, placeName(row.area)), h("small", {}, `≤ ${t("unit.ms", { count: latencyOf(row.tier) })} · ${say("grade", row.grade)}`))],
      [t("col.window"), (row) => when(row)],
      [t("col.price"), (row) => h("span", {}, row.last ? referencePrice(row.last.price, row.class_id) : "–", h("small", {}, `USD / ${referenceName(row.class_id)}`)), "right"],
      [t("jobs.cost"), (row) => h("span", {}, h("strong", {}, cost(row)), row === cheapest ? h("small", { class: "good" }, t("jobs.cheapest")) : null), "right"],
      [t("jobs.couldRun"), (row) => t("jobs.siteCount", { count: number(state.sites.filter((site) => serves(site, row)).length) }), "right"],
      ["", (row) => h("a", { class: "button primary", href: productLink(row, `?units=${amount.units}`) }, t("ticket.buy")), "right"],
    ],
    products.slice(0, 8),
  );
}

function siteRows(need, amount, state, products) {
  const product = products[0] ?? { class: amount.class, tier: need.area ? (need.area.is_hub ? "HUB" : "METRO") : "WIDE", area: need.area };
  const sites = state.sites.filter((site) => serves(site, product) && site.attested_units > 0);
  if (!sites.length) return nothing(t("jobs.noSites"));
  const shown = sites.sort((one, other) => trust(other) - trust(one) || other.issuable_units - one.issuable_units).slice(0, SITES_MAX);
  const rows = table(
    t("jobs.sites"),
    [
      [t("col.site"), (site) => h("span", {}, h("strong", {}, t("jobs.site", { site: number(site.site) })), h("small", {}, `${number(site.devices)} × ${site.device}`))],
      [t("col.where"), (site) => placeName(site.metro)],
      [t("col.attested"), (site) => units(site.attested_units), "right"],
      [t("col.record"), record, "right"],
      [t("jobs.fits"), (site) => h("span", { class: "number", "data-free": site.site }, "…"), "right"],
    ],
    shown,
  );
  free(rows, shown, product, amount);
  return rows;
}

/** Fills in what each site has free in every hour of the product's window. */
async function free(box, sites, product, amount) {
  const hours = product.hours ?? amount.hours;
  const first = Math.floor((product.start_s ?? now() + HOUR_S) / HOUR_S);
  for (const site of sites) {
    const cell = box.querySelector(`[data-free="${site.site}"]`);
    const calendar = await get(`/sites/${site.site}/calendar?start_hour=${first}&hours=${hours}`).catch(() => null);
    const least = calendar ? Math.min(...calendar.data.hours.map((each) => each.free_units)) : null;
    put(cell, least === null ? "–" : units(least));
    cell.classList.toggle("good", least !== null && least >= amount.units);
  }
}
