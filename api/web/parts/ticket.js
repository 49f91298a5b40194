// The order form: what one wants, at what limit, what it costs and what comes back, before anything is signed.
import { again } from "/web/again.js";
import { now, tickNow } from "/web/clock.js";
import { h, put } from "/web/dom.js";
import { microOf, number, perReference, percent, referenceOf, referenceText, unitPriceText, units, usd } from "/web/format.js";
import { get } from "/web/http.js";
import { t } from "/web/i18n.js";
import { listen } from "/web/live.js";
import { market, roundSeconds } from "/web/market.js";
import { fundOrder, whoever } from "/web/parts/account.js";
import { approvalSteps, withinReach } from "/web/parts/approve.js";
import { chips, field, paused } from "/web/parts/fields.js";
import { follow, isBusy, problemBox, refusalLines } from "/web/parts/notice.js";
import { renew } from "/web/renew.js";
import { actAll, address, identity, preview } from "/web/session.js";

const BUFFER_BP = 200;
// A contract's book has 32 bits for an order's units.
const UNITS_END = 2 ** 32;
// Of the recent clearings, the share that the preset limit of a buyer would have met.
const MET_BP = 9_000;

/**
 * The form for one product. `side` is "buy", "sell" (units one holds) or "offer" (a site's; needs `site`). With
 * `compact` only the essentials show. `done` is called when an order stands.
 */
export function ticket({ product, side = "buy", units: wanted = 1000, site = null, compact = false, done = () => {} }) {
  const state = { side, site, answer: null, body: null, gasless: false, repeats: true, turn: 0, from: null };
  const amount = h("input", { type: "number", inputmode: "numeric", min: "1", step: "1", value: String(wanted) });
  const limit = h("input", { type: "number", inputmode: "decimal", min: "0", step: "any", value: suggested(product, side) });
  const shown = h("div", { class: "costs", "aria-live": "polite" });
  const button = h("button", { class: "primary wide", type: "submit" }, t("ticket.preview"));
  const ask = async () => {
    const mine = ++state.turn;
    state.body = bodyOf(product, state, amount.value, limit.value);
    // Until it says what these numbers cost, the button does nothing: nobody buys at numbers that they have changed.
    button.setAttribute("aria-disabled", "true");
    if (!state.body) {
      put(button, t("ticket.preview"));
      return put(shown, h("p", { class: "muted" }, t("ticket.fill")));
    }
    try {
      const found = await look(product, state.body);
      if (mine !== state.turn) return;
      Object.assign(state, found);
      drawCosts(shown, product, state, ask);
    } catch (error) {
      if (mine !== state.turn) return;
      state.answer = null;
      // What it costs is not known: there is nothing to agree to yet.
      put(button, t("ticket.preview"));
      return put(shown, problemBox(error, ask));
    }
    put(button, label(state, product));
    button.removeAttribute("aria-disabled");
    return tickNow();
  };
  // Where nothing has traded there is no last price: what stands in the book now, or what its like costs, is the start.
  const begin = async () => {
    const asked = state.side;
    ask();
    if (limit.value) return;
    const found = await preset(product, asked, Number(amount.value) || wanted).catch(() => null);
    if (!found || limit.value || asked !== state.side) return;
    [limit.value, state.from] = [found.limit, found.from];
    await ask();
  };
  const later = paused(ask, 250);
  const soon = () => {
    state.turn += 1;
    button.setAttribute("aria-disabled", "true");
    later();
  };
  amount.addEventListener("input", soon);
  limit.addEventListener("input", () => {
    state.from = null;
    soon();
  });
  const submit = async (event) => {
    event.preventDefault();
    if (isBusy(button)) return;
    const known = identity() !== null;
    if (!(await whoever())) return;
    if (!known) await ask();
    const placed = await place(button, state, product);
    if (placed) done(placed);
    if (placed && repeats(state)) (await import("/web/parts/repeat.js")).repeat(product, state.body, placed);
    await ask();
  };
  const unit = perReference(product.class_id);
  const node = h(
    "form",
    { class: compact ? "ticket compact" : "ticket", onsubmit: submit, novalidate: true },
    compact || side === "offer" ? null : sides(state, limit, product, begin),
    h("div", { class: "pair" }, field(t("ticket.units"), amount, inDevices(product, wanted)), field(t("ticket.limit"), limit, unit)),
    shown,
    button,
    side === "buy" ? repeating(state) : null,
    compact ? null : gasless(state),
  );
  amount.addEventListener("input", () => put(node.querySelector("small"), inDevices(product, Number(amount.value))));
  begin();
  // Rounds end, cash comes and goes, and who asks may change: what is shown follows, without taking the button away.
  // While the button is busy somebody types or buys, and the form asks anew by itself.
  const current = async () => {
    if (isBusy(button) || !state.body) return;
    const mine = state.turn;
    const found = await look(product, state.body);
    if (mine !== state.turn || isBusy(button)) return;
    Object.assign(state, found);
    drawCosts(shown, product, state, ask);
    if (button.textContent !== label(state, product)) put(button, label(state, product));
  };
  keepCurrent(node, product, state, again(current));
  return { node, refresh: ask };
}

/** What an order would cost now and what stands in its round; a lack of cash that the order itself mends is none. */
async function look(product, body) {
  const [answer, depth] = await Promise.all([preview("/orders", body), get(`/products/${encodeURIComponent(product.product)}/depth`).catch(() => null)]);
  const mended = isCash(answer.refusal) && (await withinReach(escrowOf(answer.costs)).catch(() => false));
  return { answer: mended ? { ...answer, refusal: null } : answer, depth: depth?.data ?? null };
}

const isCash = (refusal) => /InsufficientCash|Allowance/.test(`${refusal?.contract_error ?? ""}${refusal?.name ?? ""}`);

/** Asks for `news` when something that the form shows may have changed, for as long as the form is on the page. */
function keepCurrent(node, product, state, news) {
  let seen = false;
  const heard = (kind, event) => {
    seen ||= node.isConnected;
    if (seen && !node.isConnected) return leave();
    const mine = address()?.toLowerCase();
    const ours = event?.products?.includes(product.product) || event?.accounts?.some((each) => each.toLowerCase() === mine);
    if (kind === "reorg" || ours || (kind === "block" && state.answer?.round_ends_s <= now())) news();
    return null;
  };
  const become = () => heard("reorg");
  const stop = listen(heard);
  addEventListener("identity", become);
  const leave = () => {
    stop();
    removeEventListener("identity", become);
    news.stop();
  };
}

function sides(state, limit, product, begin) {
  const turn = (next) => {
    [state.side, state.from] = [next, null];
    limit.value = suggested(product, next);
    begin();
  };
  return chips(t("ticket.side"), [["buy", t("ticket.buy")], ["sell", t("ticket.sell")]], state.side, turn);
}

/** A wallet would ask its owner each time, and a signed order is good for one round. */
const repeats = (state) => state.repeats && state.side === "buy" && !state.gasless && identity().kind !== "wallet";

function repeating(state) {
  const box = h("input", { type: "checkbox", checked: state.repeats, onchange: () => (state.repeats = box.checked) });
  return h("label", { class: "check", title: t("repeat.hint") }, box, h("span", {}, t("repeat.label")));
}

function gasless(state) {
  const box = h("input", { type: "checkbox", onchange: () => (state.gasless = box.checked) });
  return h("label", { class: "check", title: t("ticket.gaslessHint") }, box, h("span", {}, t("ticket.gasless")));
}

const inDevices = (product, count) => (referenceOf(product.class_id) === 1000 && count ? t("ticket.inH100", { count: number(count / 1000, 3) }) : "");

/**
 * The last price for who sells; for who buys what most recent clearings were at or below, at least a little above the
 * last price, as everyone in a round pays the same and the limit only says at what one still wants. Per hour of the
 * reference.
 */
function suggested(product, side) {
  const last = microOf(product.last?.price ?? product.indicative?.price);
  if (last === null) return "";
  const recent = [...(product.sparkline ?? [])].sort((one, other) => one - other);
  const usual = recent[Math.ceil((recent.length * MET_BP) / 10_000) - 1] ?? 0;
  const above = side === "buy" && usual * 10_000 > last * (10_000 + BUFFER_BP);
  const micro = above ? usual : last;
  return limitText(product, micro, side === "buy" && !above);
}

/** The limit that a buyer is preset with, in micro per unit-hour; null where nothing has traded. */
export function presetMicro(product) {
  const limit = suggested(product, "buy");
  return limit ? Math.round((Number(limit) * 1e6) / referenceOf(product.class_id)) : null;
}

/** A limit per hour of the reference, a little above the price where `above` says so. */
function limitText(product, micro, above) {
  const value = (BigInt(micro) * BigInt(referenceOf(product.class_id)) * BigInt(above ? 10_000 + BUFFER_BP : 10_000)) / 10_000n;
  return (Number(value) / 1e6).toFixed(referenceOf(product.class_id) === 1 ? 4 : 2);
}

/** A limit where nothing has traded: at which the other side's orders reach for so many units, else the class's median. */
async function preset(product, side, wanted) {
  const { data } = await get(`/products/${encodeURIComponent(product.product)}/depth`);
  let left = wanted;
  const levels = side === "buy" ? data.asks : data.bids;
  const level = levels.find((each) => (left -= each.units) <= 0) ?? levels.at(-1);
  if (level) return { limit: limitText(product, microOf(level.price), side === "buy"), from: "ticket.fromBook" };
  const prices = (await get(`/prices?class=${product.class}`)).data.map((each) => microOf(each.price)).sort((one, other) => one - other);
  return prices.length ? { limit: limitText(product, prices[Math.floor(prices.length / 2)], side === "buy"), from: "ticket.fromClass" } : null;
}

const KIND = { buy: "bid", sell: "ask", offer: "offer" };

function bodyOf(product, state, amount, limit) {
  const count = Number(amount);
  const price = Math.round((Number(limit) * 1e6) / referenceOf(product.class_id));
  if (!Number.isInteger(count) || count < 1 || count >= UNITS_END || !(price > 0)) return null;
  const body = { kind: KIND[state.side], product: product.product, units: count, price_micro: price };
  return state.site ? { ...body, site: state.site } : body;
}

function label(state, product) {
  const { units: count } = state.body ?? {};
  if (!count) return t("ticket.preview");
  const most = escrowOf(state.answer?.costs);
  const key = state.side === "buy" ? "ticket.doBuy" : state.side === "sell" ? "ticket.doSell" : "ticket.doOffer";
  return t(key, { units: units(count), most: most ? usd(most) : referenceText(state.body.price_micro, product.class_id) });
}

const escrowOf = (costs) => BigInt(costs?.total_micro ?? 0) || BigInt(costs?.escrow_micro ?? 0);

const line = (name, value, kind = "") => h("div", { class: `cost ${kind}` }, h("dt", {}, name), h("dd", {}, value));

function drawCosts(box, product, state, ask) {
  const { answer } = state;
  const { costs = {}, last, chance, refusal, limit } = answer;
  const lastMicro = microOf(last);
  const count = BigInt(state.body.units) * BigInt(product.hours);
  const atLast = lastMicro === null ? null : count * BigInt(lastMicro);
  const lines = [];
  if (state.side === "buy") {
    lines.push(line(t("ticket.escrow"), usd(costs.escrow_micro ?? 0), "strong"));
    if (atLast !== null && atLast <= BigInt(costs.escrow_micro ?? 0)) {
      lines.push(line(t("ticket.atLast"), usd(atLast)));
      lines.push(line(t("ticket.back"), usd(BigInt(costs.escrow_micro) - atLast)));
    }
  } else {
    const micro = microOf(limit?.price) ?? state.body.price_micro;
    lines.push(line(t("ticket.atLeast"), usd(count * BigInt(micro)), "strong"));
    if (BigInt(costs.margin_micro ?? 0)) lines.push(line(t("ticket.margin"), usd(costs.margin_micro)));
  }
  if (answer.fee_wei) lines.push(line(t("ticket.gas"), t("ticket.ether", { amount: ether(answer.fee_wei) })));
  if (state.depth) lines.push(line(t("ticket.round"), roundFacts(state.depth, product)));
  lines.push(line(t("ticket.clears"), h("span", { class: "number left", "data-until": answer.round_ends_s ?? now() + roundSeconds(), "data-whole": roundSeconds() })));
  const from = state.from ? h("p", { class: "fine" }, t(state.from)) : null;
  renew(box, h("dl", {}, lines), from, limit ? h("p", { class: "fine" }, t("ticket.tick", { tick: number(limit.tick), price: referenceText(limit.price, product.class_id), unit: unitPriceText(limit.price) })) : null, chanceBar(chance, answer.distance_bp, state.side), refusal ? refusalBox(refusal, ask) : null);
}

const ether = (wei) => number(Number(BigInt(wei)) / 1e18, 8);

/** What stands in the open round: whether there is anything to meet. */
function roundFacts(depth, product) {
  const total = (levels) => (levels ?? []).reduce((count, each) => count + each.units, 0);
  const both = t("ticket.roundBoth", { bids: units(total(depth.bids)), asks: units(total(depth.asks)) });
  const at = depth.indicative?.units ? t("ticket.roundPrice", { price: referenceText(depth.indicative.price, product.class_id) }) : "";
  return h("span", { title: at }, both);
}

/** How often the last rounds cleared within this limit: the chance that history gives. */
function chanceBar(chance, distanceBp, side) {
  if (!chance?.rounds) return null;
  const met = chance.cleared_at_or_below ?? chance.cleared_within ?? 0;
  const meter = h("meter", { min: "0", max: String(chance.rounds), value: String(met), "aria-label": t("ticket.chance") });
  const far = distanceBp === null || distanceBp === undefined ? "" : t(distanceBp >= 0 ? "ticket.above" : "ticket.below", { share: percent(Math.abs(distanceBp)) });
  const one = chance.rounds === 1 ? (met ? "ticket.chanceOne" : "ticket.chanceNone") : null;
  const said = t(one ?? (side === "buy" ? "ticket.chanceBuy" : "ticket.chanceSell"), one ? {} : { met: number(met), rounds: number(chance.rounds) });
  return h("div", { class: "chance" }, meter, h("p", {}, said, " ", far));
}

/** What would refuse the order now, and what can be done about it here. */
function refusalBox(refusal, ask) {
  const money = market().faucet && identity();
  const pour = async (event) => {
    await fundOrder(event.currentTarget);
    await ask();
  };
  if (!identity()) return h("p", { class: "fine" }, t("ticket.nobody"));
  return h("div", { class: "problem", role: "alert" }, refusalLines(refusal), money ? h("button", { type: "button", onclick: pour }, t("account.faucet")) : null);
}

const callOf = async (product, state) => (await import("/web/calls.js")).orderCall(product, state.answer.body);

/** Places the order; where the treasury may not yet take the money, that is asked for first. */
async function place(button, state, product) {
  const title = label(state, product);
  return follow(button, title, async (told) => {
    const steps = await approvalSteps(escrowOf(state.answer?.costs));
    steps.push({ path: "/orders", body: state.body, gasless: state.gasless, title, call: () => callOf(product, state) });
    return actAll(steps, (place) => told(steps.length > 1 ? t("act.step", { step: place + 1, steps: steps.length, title: steps[place].title }) : `${title} …`));
  }, [t("act.done", { title }), t("mark.end"), h("a", { href: "#/portfolio" }, t("ticket.look"))]);
}
