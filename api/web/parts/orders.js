// One's own orders: what waits for its clearing, what traded, and of what did not, why not and what to do.
import { h, put } from "/web/dom.js";
import { number, perReference, percent, referencePrice, referenceText, units } from "/web/format.js";
import { get } from "/web/http.js";
import { say, t } from "/web/i18n.js";
import { roundSeconds } from "/web/market.js";
import { className, placeName, productLink, productOf, when } from "/web/names.js";
import { table } from "/web/parts/fields.js";
import { nothing } from "/web/parts/notice.js";

export const productCell = (product) => h("a", { href: productLink(product) }, h("strong", {}, placeName(product.area)), h("small", {}, `${className(product.class)} · ${when(product)}`));

/** Orders as /orders gives them, newest first. */
export function orderRows(rows) {
  if (!rows.length) return nothing(t("portfolio.noOrders"));
  return table(
    t("portfolio.orders"),
    [
      [t("col.kind"), (row) => h("span", { class: `badge ${row.kind}` }, say("kind", row.kind))],
      [t("col.product"), (row) => productCell(productOf(row.product))],
      [t("col.units"), (row) => units(row.units), "right"],
      [t("col.limit"), limit, "right"],
      [t("col.state"), state, "right"],
    ],
    rows,
    { key: (row) => `${row.product} ${row.round} ${row.slot}` },
  );
}

function limit(row) {
  const { class_id: classId } = productOf(row.product);
  return h("span", {}, referencePrice(row.price, classId), h("small", {}, perReference(classId)));
}

function state(row) {
  if (!row.settled) return h("span", { class: "number left", title: t("order.round", { round: number(row.round) }), "data-until": (row.round + 1) * roundSeconds(), "data-whole": roundSeconds(), "data-then": t("order.clearing") }, "");
  const why = h("small", {});
  explain(row, why);
  if (row.filled >= row.units) return h("span", {}, h("span", { class: "good" }, t("order.all")), why);
  const side = row.kind === "bid" ? "buy" : "sell";
  const again = row.kind === "offer" ? "#/provider" : productLink({ product: row.product }, `?side=${side}&units=${row.units - row.filled}`);
  return h("span", {}, row.filled ? t("order.part", { units: units(row.filled) }) : t("order.none"), why, h("a", { href: again }, t("order.again")));
}

/** What settled rounds cleared at, by product and round: that never changes again. */
const cleared = new Map();

/** At what price it traded, or how far the limit was from what its round cleared at. */
async function explain(row, box) {
  // What is known already stands there at once: else each drawing would differ from the one before.
  const round = `/products/${encodeURIComponent(row.product)}/depth?round=${row.round}`;
  if (cleared.has(round)) return put(box, apart(row, cleared.get(round)));
  const depth = await get(round).catch(() => null);
  if (!depth) return null;
  cleared.set(round, depth.data.clearing?.price?.price_micro ?? null);
  return put(box, apart(row, cleared.get(round)));
}

function apart(row, price) {
  const { class_id: classId } = productOf(row.product);
  const mine = row.price.price_micro;
  if (price === null) return t("order.quiet");
  if (row.filled >= row.units) return t("order.at", { price: referenceText(price, classId) });
  if (row.filled || price === mine || price < mine === (row.kind === "bid")) return t("order.share");
  return t("order.apart", { price: referenceText(price, classId), share: percent((Math.abs(price - mine) * 10_000) / price) });
}
