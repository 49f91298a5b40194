// A clearing computed again in this browser, line by line beside what the contract said, and a proof to take away.
import { clear, filled, prefixes, priceMicro } from "/web/auction.js";
import { h } from "/web/dom.js";
import { number } from "/web/format.js";
import { say, t } from "/web/i18n.js";
import { market } from "/web/market.js";
import { copyButton, table } from "/web/parts/fields.js";

const SHOWN = 40;

/** The comparison of an /audit/clearings answer with what its orders come to here. */
export function recomputation(answer, code, round) {
  const { data } = answer;
  const claimed = data.clearing ?? data.claimed ?? {};
  const orders = data.orders.map((order) => ({ ...order, kind: String(order.kind).toLowerCase() }));
  const started = performance.now();
  const ours = clear(orders);
  const took = performance.now() - started;
  const fills = orders.map((order) => filled(order, ours));
  const arrived = prefixes([...orders].sort(byArrival));
  const said = orders.map((order) => order.filled ?? fillOf(data.fills, order.slot));
  const sells = (order) => order.kind !== "bid";
  const volume = (side) => fills.reduce((sum, units, place) => sum + (side(orders[place]) ? units : 0), 0);
  const price = ours.price_tick === null ? null : priceMicro(ours.price_tick, data.tick_size_micro);
  const claimedPrice = claimed.price?.price_micro ?? claimed.price ?? null;
  const checks = [
    check("units", ours.units, claimed.units ?? 0),
    check("tick", ours.price_tick, ours.units ? claimed.price_tick : (claimed.price_tick || null)),
    ...(claimedPrice === null || price === null ? [] : [check("price", price, claimedPrice)]),
    check("prefixes", differences([...orders].sort(byArrival).map((order) => order.prefix), arrived), 0),
    check("fills", differences(said.map((units, place) => units ?? fills[place]), fills), 0),
    check("bought", volume((order) => !sells(order)), ours.units),
    check("sold", volume(sells), ours.units),
  ];
  const good = checks.every((each) => each.good);
  const proof = { product: code, round, block: answer.block, block_hash: answer.block_hash, chain_id: market().chain_id, tick_size_micro: data.tick_size_micro, orders, claimed, recomputed: { ...ours, fills }, transactions: data.transactions ?? [], agrees: good };
  return h("div", { class: "stack" }, verdict(good, orders.length, took, proof), h("ul", { class: "checks" }, checks.map(checkLine)), orderTable(orders, fills, said));
}

const byArrival = (one, other) => (one.block ?? 0) - (other.block ?? 0) || (one.log_index ?? 0) - (other.log_index ?? 0);
const fillOf = (fills, slot) => (Array.isArray(fills) ? fills.find((each) => each.slot === slot)?.units : fills?.[slot]) ?? null;
const differences = (one, other) => one.filter((value, place) => value !== other[place]).length;
const check = (name, ours, theirs) => ({ name, ours, theirs, good: ours === theirs });
const shown = (value) => (value === null || value === undefined ? "–" : number(value));

function verdict(good, count, took, proof) {
  return h(
    "div",
    { class: "row spread" },
    h("p", { class: `verdict ${good ? "good" : "bad"}` }, h("span", { class: "seal", "aria-hidden": "true" }, good ? "✓" : "!"), h("span", {}, h("strong", {}, t(good ? "audit.agrees" : "audit.differs")), h("small", {}, t("audit.from", { count: number(count), ms: number(took, 1) })))),
    h("span", { class: "row tight" }, t("audit.copyProof"), copyButton(JSON.stringify(proof, null, 2), t("audit.copyProof"))),
  );
}

function checkLine({ name, ours, theirs, good }) {
  const both = name === "prefixes" || name === "fills" ? t(good ? "audit.allSame" : "audit.notSame", { count: shown(ours) }) : t("audit.both", { ours: shown(ours), theirs: shown(theirs) });
  return h("li", { class: good ? "good" : "bad" }, h("span", {}, t(`audit.${name}`)), h("span", { class: "number" }, both), h("span", { "aria-hidden": "true" }, good ? "✓" : "✗"));
}

function orderTable(orders, fills, said) {
  const rows = orders.map((order, place) => ({ order, ours: fills[place], said: said[place] })).sort((one, other) => other.ours - one.ours);
  const shownRows = rows.slice(0, SHOWN);
  return [
    table(
      t("audit.orders"),
      [
        [t("col.slot"), ({ order }) => number(order.slot)],
        [t("col.kind"), ({ order }) => h("span", { class: `badge ${order.kind}` }, say("kind", order.kind))],
        [t("col.tick"), ({ order }) => number(order.tick), "right"],
        [t("col.units"), ({ order }) => number(order.units), "right"],
        [t("col.before"), ({ order }) => number(order.prefix), "right"],
        [t("audit.ours"), ({ ours }) => h("strong", {}, number(ours)), "right"],
        [t("audit.theirs"), ({ said: theirs }) => shown(theirs), "right"],
      ],
      shownRows,
    ),
    rows.length > SHOWN ? h("p", { class: "fine" }, t("list.more", { count: number(rows.length - SHOWN) })) : null,
  ];
}
