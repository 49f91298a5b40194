// The order form: what one wants, at what limit, what it costs and what comes back, before anything is signed.
import { now, tickNow } from "/web/clock.js";
import { h, put } from "/web/dom.js";
import { microOf, number, perReference, percent, referenceOf, referenceText, unitPriceText, units, usd } from "/web/format.js";
import { get } from "/web/http.js";
import { t } from "/web/i18n.js";
import { market, roundSeconds } from "/web/market.js";
import { fund, whoever } from "/web/parts/account.js";
import { approvalSteps } from "/web/parts/approve.js";
import { chips, field, paused } from "/web/parts/fields.js";
import { follow, isBusy, problemBox } from "/web/parts/notice.js";
import { actAll, identity, preview } from "/web/session.js";

const BUFFER_BP = 200;

/**
 * The form for one product. `side` is "buy", "sell" (units one holds) or "offer" (a site's; needs `site`). With
 * `compact` only the essentials show. `done` is called when an order stands.
 */
export function ticket({ product, side = "buy", units: wanted = 1000, site = null, compact = false, done = () => {} }) {
  const state = { side, site, answer: null, body: null, gasless: false, repeats: true, turn: 0 };
  const amount = h("input", { type: "number", inputmode: "numeric", min: "1", step: "1", value: String(wanted) });
  const limit = h("input", { type: "number", inputmode: "decimal", min: "0", step: "any", value: suggested(product, side) });
  const shown = h("div", { class: "costs", "aria-live": "polite" });
  const button = h("button", { class: "primary wide", type: "submit" }, t("ticket.preview"));
  const ask = async () => {
    const mine = ++state.turn;
    state.body = bodyOf(product, state, amount.value, limit.value);
    // Until it says what these numbers cost, the button does nothing: nobody buys at numbers that they have changed.
    button.setAttribute("aria-disabled", "true");
    if (!state.body) return put(shown, h("p", { class: "muted" }, t("ticket.fill")));
    try {
      const [answer, depth] = await Promise.all([preview("/orders", state.body), get(`/products/${encodeURIComponent(product.product)}/depth`).catch(() => null)]);
      if (mine !== state.turn) return;
      state.depth = depth?.data ?? null;
      state.answer = answer;
      drawCosts(shown, answer, product, state, ask);
    } catch (error) {
      if (mine !== state.turn) return;
      state.answer = null;
      put(shown, problemBox(error));
    }
    put(button, label(state, product));
    button.removeAttribute("aria-disabled");
    tickNow();
  };
  const later = paused(ask, 250);
  const soon = () => {
    state.turn += 1;
    button.setAttribute("aria-disabled", "true");
    later();
  };
  amount.addEventListener("input", soon);
  limit.addEventListener("input", soon);
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
    compact || side === "offer" ? null : sides(state, limit, product, ask),
    h("div", { class: "pair" }, field(t("ticket.units"), amount, inDevices(product, wanted)), field(t("ticket.limit"), limit, unit)),
    shown,
    button,
    side === "buy" ? repeating(state) : null,
    compact ? null : gasless(state),
  );
  amount.addEventListener("input", () => put(node.querySelector("small"), inDevices(product, Number(amount.value))));
  ask();
  return { node, refresh: ask };
}

function sides(state, limit, product, ask) {
  const turn = (next) => {
    state.side = next;
    limit.value = suggested(product, next);
    ask();
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

/** A little above the last price for who buys, the last price for who sells, per hour of the reference. */
function suggested(product, side) {
  const micro = microOf(product.last?.price ?? product.indicative?.price);
  if (micro === null) return "";
  const factor = BigInt(side === "buy" ? 10_000 + BUFFER_BP : 10_000);
  const value = (BigInt(micro) * BigInt(referenceOf(product.class_id)) * factor) / 10_000n;
  return (Number(value) / 1e6).toFixed(referenceOf(product.class_id) === 1 ? 4 : 2);
}

const KIND = { buy: "bid", sell: "ask", offer: "offer" };

function bodyOf(product, state, amount, limit) {
  const count = Number(amount);
  const price = Math.round((Number(limit) * 1e6) / referenceOf(product.class_id));
  if (!Number.isInteger(count) || count < 1 || !(price > 0)) return null;
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

function drawCosts(box, answer, product, state, ask) {
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
  put(box, h("dl", {}, lines), limit ? h("p", { class: "fine" }, t("ticket.tick", { tick: number(limit.tick), price: referenceText(limit.price, product.class_id), unit: unitPriceText(limit.price) })) : null, chanceBar(chance, answer.distance_bp, state.side), refusal ? refusalBox(refusal, ask) : null);
}

const ether = (wei) => number(Number(BigInt(wei)) / 1e18, 8);

/** What stands in the open round: whether there is anything to meet. */
function roundFacts(depth, product) {
  const sum = (levels) => number((levels ?? []).reduce((total, each) => total + each.units, 0));
  const both = t("ticket.roundBoth", { bids: sum(depth.bids), asks: sum(depth.asks) });
  const at = depth.indicative?.units ? t("ticket.roundPrice", { price: referenceText(depth.indicative.price, product.class_id) }) : "";
  return h("span", { title: at }, both);
}

/** How often the last rounds cleared within this limit: the chance that history gives. */
function chanceBar(chance, distanceBp, side) {
  if (!chance?.rounds) return null;
  const met = chance.cleared_at_or_below ?? chance.cleared_within ?? 0;
  const meter = h("meter", { min: "0", max: String(chance.rounds), value: String(met), "aria-label": t("ticket.chance") });
  const far = distanceBp === null || distanceBp === undefined ? "" : t(distanceBp >= 0 ? "ticket.above" : "ticket.below", { share: percent(Math.abs(distanceBp)) });
  return h("div", { class: "chance" }, meter, h("p", {}, t(side === "buy" ? "ticket.chanceBuy" : "ticket.chanceSell", { met: number(met), rounds: number(chance.rounds) }), " ", far));
}

/** What would refuse the order now, and what can be done about it here. */
function refusalBox(refusal, ask) {
  const money = market().faucet && identity();
  const pour = async (event) => {
    await fund(event.currentTarget);
    await ask();
  };
  if (!identity()) return h("p", { class: "fine" }, t("ticket.nobody"));
  if (mendable(refusal)) return null;
  return h("div", { class: "problem", role: "alert" }, h("strong", {}, refusal.detail ?? refusal.title ?? String(refusal)), h("p", {}, refusal.remedy ?? ""), money ? h("button", { type: "button", onclick: pour }, t("account.faucet")) : null);
}

/** A missing approval is no refusal: the form asks for it as its own first step. */
const mendable = (refusal) => /Allowance/.test(`${refusal.contract_error ?? ""}${refusal.name ?? ""}`) && identity()?.kind !== "key";

const callOf = async (product, state) => (await import("/web/calls.js")).orderCall(product, state.answer.body);

/** Places the order; where the treasury may not yet take the money, that is asked for first. */
async function place(button, state, product) {
  const title = label(state, product);
  return follow(button, title, async (told) => {
    const steps = await approvalSteps(escrowOf(state.answer?.costs));
    steps.push({ path: "/orders", body: state.body, gasless: state.gasless, title, call: () => callOf(product, state) });
    return actAll(steps, (place) => told(steps.length > 1 ? t("act.step", { step: place + 1, steps: steps.length, title: steps[place].title }) : `${title} …`));
  }, [t("act.done", { title }), ". ", h("a", { href: "#/portfolio" }, t("ticket.look"))]);
}
