// Buying in one line: words in, fields out, a price at once, and one button.
import { h, put } from "/web/dom.js";
import { now, tickNow } from "/web/clock.js";
import { get } from "/web/http.js";
import { day, hoursText, number, perReference, referencePrice, units, usd } from "/web/format.js";
import { place, t } from "/web/i18n.js";
import { areas, grades } from "/web/market.js";
import { placeName, productLink, when } from "/web/names.js";
import { convert, matching, read, reaches } from "/web/need.js";
import { problemBox } from "/web/parts/notice.js";
import { paused, select } from "/web/parts/fields.js";
import { presetMicro, ticket } from "/web/parts/ticket.js";

const DAY_S = 86400;

const EXAMPLE_UNITS = 2000;

/** One or two H100 for a day, where such days are bought most: no more than trades there in a round. */
function example(products) {
  const days = products.filter((each) => each.class === "AI_LARGE" && each.hours === 24 && each.area);
  const busiest = days.sort((one, other) => other.volume_units_total - one.volume_units_total)[0];
  const count = busiest?.last && busiest.last.units < EXAMPLE_UNITS ? 1 : 2;
  return t("buy.example", { count: number(count), place: busiest ? placeName(busiest.area) : place("Frankfurt") });
}

/** The line; `products()` are those of the board. */
export function buyLine(products) {
  const state = { need: null, amount: null, place: undefined, start: undefined, product: null, turn: 0, offered: new Map(), within: new Map() };
  const words = h("input", { class: "need", type: "text", value: example(products()), "aria-label": t("buy.label"), autocomplete: "off", spellcheck: "false", enterkeyhint: "go" });
  const understood = h("div", { class: "understood" });
  const result = h("div", { class: "result", "aria-live": "polite" });
  const search = async () => {
    const mine = ++state.turn;
    try {
      await understand(state, words.value);
      await lookAtBooks(state, products());
      if (mine !== state.turn) return;
      fields(understood, state, choose);
      choose();
    } catch (error) {
      if (mine !== state.turn) return;
      put(understood);
      put(result, problemBox(error));
    }
  };
  const choose = () => {
    const before = state.product?.product;
    state.found = candidates(state, products());
    if (!state.found.some((each) => each.product === state.wanted)) state.wanted = first(state)?.product ?? null;
    state.product = state.found.find((each) => each.product === state.wanted) ?? null;
    if (!result.hasChildNodes() || before !== state.product?.product || state.shown !== state.amount) offer(result, state, choose);
    state.shown = state.amount;
  };
  const anew = paused(search, 300);
  words.addEventListener("input", () => {
    state.place = state.start = undefined;
    anew();
  });
  const node = h("form", { class: "buyline", onsubmit: (event) => event.preventDefault() }, h("label", { class: "label", for: (words.id = "need") }, t("buy.label")), words, understood);
  search();
  return { node: h("div", { class: "buy" }, node, result), update: () => state.amount && lookAtBooks(state, products()).then(() => refreshOptions(result, state, products())) };
}

async function understand(state, text) {
  state.need = read(text, now());
  if (state.place === undefined) state.place = state.need.area;
  if (state.start === undefined) state.start = state.need.start_s;
  state.amount = await convert(state.need.amount || text, state.need.class);
}

function candidates(state, products) {
  const found = matching(products, { classId: state.amount.class_id, hours: state.amount.hours, area: state.place ?? null, start_s: state.start ?? null, now_s: now() });
  return found.slice(0, 6);
}

/** How much is offered in the open round of each product that would serve: where nothing is, a bid waits. */
async function lookAtBooks(state, products) {
  const look = async (product) => {
    const { data } = await get(`/products/${encodeURIComponent(product.product)}/depth`);
    state.offered.set(product.product, data.asks.reduce((sum, each) => sum + each.units, 0));
    const most = presetMicro(product);
    state.within.set(product.product, data.asks.reduce((sum, each) => sum + (most === null || each.price.price_micro <= most ? each.units : 0), 0));
  };
  await Promise.all(candidates(state, products).map((each) => look(each).catch(() => null)));
}

/** The best that serves; of those as near and as sure, the first of which enough is offered at the limit that it is preset with. */
function first(state) {
  const [best] = state.found;
  const asNear = (each) => each.tier === best.tier && each.area?.code === best.area?.code && grades().indexOf(each.grade) >= grades().indexOf(best.grade);
  return state.found.find((each) => asNear(each) && (state.within.get(each.product) ?? 0) >= state.amount.units) ?? best;
}

/** What was understood, as things that can be changed. */
function fields(box, state, choose) {
  const { amount } = state;
  const places = [["", t("place.anywhere")], ...areas().map((area) => [String(area.code), placeName(area)]).sort((one, other) => one[1].localeCompare(other[1]))];
  const today = Math.floor(now() / DAY_S) * DAY_S;
  const starts = [["", t("buy.soonest")], ...Array.from({ length: 7 }, (_, days) => [String(today + days * DAY_S), t("buy.from", { day: day(today + days * DAY_S) })])];
  if (state.start && !starts.some(([value]) => value === String(state.start))) starts.push([String(state.start), t("buy.from", { day: day(state.start) })]);
  const setPlace = (code) => {
    state.place = areas().find((area) => String(area.code) === code) ?? null;
    choose();
  };
  const setStart = (start) => {
    state.start = start ? Number(start) : null;
    choose();
  };
  const what = amount.device ? t("buy.devices", { count: number(amount.count), device: amount.device, units: units(amount.units) }) : units(amount.units);
  put(
    box,
    h("span", { class: "token" }, what),
    h("span", { class: "token" }, hoursText(amount.hours)),
    select(places, String(state.place?.code ?? ""), setPlace, { class: "token", "aria-label": t("filter.area") }),
    select(starts, String(state.start ?? ""), setStart, { class: "token", "aria-label": t("buy.start") }),
  );
}

function offer(box, state, choose) {
  if (!state.product) return put(box, unheard(state));
  const form = ticket({ product: state.product, side: "buy", units: state.amount.units, compact: true });
  put(box, options(state, choose), form.node);
  return tickNow();
}

/** Products that would serve, as cards of which one is taken. */
function options(state, choose) {
  const take = (product) => {
    state.wanted = product.product;
    choose();
  };
  return h(
    "div",
    { class: "options", role: "group", "aria-label": t("buy.options") },
    state.found.map((product) => h("button", { type: "button", class: "option", "aria-pressed": String(product === state.product), "data-key": product.product, onclick: () => take(product) }, optionText(product, state))),
  );
}

function optionText(product, { amount, offered }) {
  const asked = offered.get(product.product);
  const total = product.last ? BigInt(product.last.price.price_micro) * BigInt(amount.units) * BigInt(amount.hours) : null;
  return [
    h("span", { class: "row tight spread" }, h("strong", {}, placeName(product.area)), h("span", { class: "number" }, product.last ? referencePrice(product.last.price, product.class_id) : "–")),
    h("small", { class: "row tight spread" }, h("span", {}, when(product)), h("span", {}, product.last ? perReference(product.class_id) : t("board.noPrice"))),
    h("small", { class: "row tight spread" }, h("span", {}, total === null ? "" : t("buy.about", { total: usd(total) })), h("span", {}, asked === undefined ? "" : t("buy.offered", { units: units(asked) }))),
  ];
}

function refreshOptions(box, state, products) {
  state.found = candidates(state, products);
  state.product = state.found.find((each) => each.product === state.wanted) ?? state.product;
  for (const button of box.querySelectorAll(".option")) {
    const product = state.found.find((each) => each.product === button.dataset.key);
    if (product) put(button, optionText(product, state));
  }
}

/** Nothing of the kind trades: one may be the first to ask for it. */
function unheard(state) {
  const [nearest] = reaches(state.place ?? null);
  const start = state.start ?? (Math.floor(now() / DAY_S) + 1) * DAY_S;
  const area = nearest.area?.code ?? 0;
  const code = `${state.amount.class}.${nearest.tier}.${area}.STANDARD.${new Date(start * 1000).toISOString().slice(0, 13)}.${state.amount.hours}h`;
  return h("p", { class: "nothing" }, t("buy.nothing"), " ", h("a", { href: productLink({ product: code }, `?units=${state.amount.units}`) }, t("buy.first")));
}
