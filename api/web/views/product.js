// One product: its curves, its prices, its book, its fills, and the form to buy or sell it.
import { again } from "/web/again.js";
import { now } from "/web/clock.js";
import { h, icon, put } from "/web/dom.js";
import { renew } from "/web/renew.js";
import { compact, moment, momentBoth, number, perReference, referencePrice, unitPriceText, units, windowText } from "/web/format.js";
import { all, get, query } from "/web/http.js";
import { t } from "/web/i18n.js";
import { roundSeconds } from "/web/market.js";
import { className, gradeName, placeName, tierName, when } from "/web/names.js";
import { curve } from "/web/charts/curve.js";
import { changeMark } from "/web/parts/change.js";
import { nothing, problemBox } from "/web/parts/notice.js";
import { section, table } from "/web/parts/fields.js";
import { ticket } from "/web/parts/ticket.js";

export async function open([code], options) {
  const path = `/products/${encodeURIComponent(code)}`;
  const product = (await get(path)).data;
  const state = { product, round: null, chart: null, clearings: [] };
  const boxes = { head: h("div", { class: "headline" }), curve: h("div"), rounds: h("div", { class: "row tight" }), book: h("div"), fills: h("div"), history: h("div", { class: "history" }) };
  const redraw = again(() => drawAll(path, state, boxes));
  const form = ticket({ product, side: options.get("side") ?? "buy", units: Number(options.get("units")) || 1000, done: redraw.now });
  const step = (by) => {
    state.round = nextRound(state, by);
    redraw.now();
  };
  put(boxes.rounds, h("button", { class: "plain round", "aria-label": t("product.earlier"), onclick: () => step(-1) }, icon("left")), h("span", { class: "number", id: "round" }), h("button", { class: "plain round", "aria-label": t("product.later"), onclick: () => step(1) }, icon("right")));
  await drawAll(path, state, boxes);
  const node = h(
    "div",
    { class: "page" },
    title(product),
    boxes.head,
    h(
      "div",
      { class: "split" },
      h("div", { class: "stack" }, section(t("product.curves"), boxes.curve, boxes.rounds, { class: "card" }), section(t("product.history"), boxes.history, null, { class: "card" }), section(t("product.book"), boxes.book, null, { class: "card" }), section(t("product.fills"), boxes.fills, null, { class: "card" })),
      h("aside", { class: "card sticky" }, h("h2", {}, t("product.trade")), form.node),
    ),
  );
  drawHistory(state, boxes.history);
  const update = (kind, event) => (kind === "reorg" || event.products?.includes(code) || ended(state)) && redraw();
  return { node, title: `${className(product.class)} ${placeName(product.area)}`, update, close: () => [redraw.stop(), state.chart?.close()] };
}

const ended = (state) => state.round === null && state.depth && state.depth.round_ends_s <= now();

function title(product) {
  return h(
    "header",
    { class: "title" },
    h("p", { class: "crumbs" }, h("a", { href: "#/" }, t("nav.market")), " / ", className(product.class)),
    h("h1", {}, placeName(product.area), h("span", { class: "soft" }, ` ${when(product)}`)),
    h("p", { class: "muted" }, `${className(product.class)} · ${tierName(product.tier)} · ${gradeName(product.grade)} · `, h("span", { title: momentBoth(product.start_s) }, windowText(product.start_s, product.end_s))),
  );
}

async function drawAll(path, state, boxes) {
  const [product, depth, clearings] = await Promise.all([get(path), get(`${path}/depth${query({ round: state.round })}`), all(`${path}/clearings`, 300)]);
  state.product = product.data;
  state.depth = depth.data;
  state.clearings = clearings.data;
  renew(boxes.head, headline(state.product, state.depth));
  put(boxes.curve, curve(state.depth, state.product.class_id));
  put(boxes.rounds.querySelector("#round"), roundName(state));
  put(boxes.book, book(state.depth, state.product));
  renew(boxes.fills, fills(state));
  if (state.chart) state.chart.update(traded(state));
  else if (boxes.history.isConnected) drawHistory(state, boxes.history);
}

const traded = (state) => state.clearings.filter((each) => each.units > 0 && each.price).reverse();

async function drawHistory(state, box) {
  if (traded(state).length < 2) return put(box, nothing(t("product.noHistory")));
  if (state.drawing) return null;
  state.drawing = true;
  try {
    const { history } = await import("/web/charts/history.js");
    put(box);
    state.chart = await history(box, traded(state), state.product.class_id);
  } catch (error) {
    put(box, problemBox(error));
  }
  state.drawing = false;
  return null;
}

function headline(product, depth) {
  const { last } = product;
  const shown = (label, value, below) => h("div", { class: "tile" }, h("span", { class: "label" }, label), h("span", { class: "figure" }, value), h("span", { class: "below" }, below));
  const unit = perReference(product.class_id);
  return [
    shown(t("product.last"), last ? [referencePrice(last.price, product.class_id), " ", changeMark(product.change_bp)] : "–", last ? `${unit} · ${unitPriceText(last.price)}` : t("board.noPrice")),
    shown(t("product.now"), depth.indicative?.units && !depth.cleared ? referencePrice(depth.indicative.price, product.class_id) : "–", depth.indicative?.units && !depth.cleared ? `${unit} · ${units(depth.indicative.units)}` : t("product.nowNothing")),
    shown(t("product.volume"), compact(product.volume_units_24h ?? 0), t("board.volumeUnit")),
    shown(t("product.next"), h("span", { class: "left", "data-until": product.round_ends_s, "data-whole": roundSeconds() }, ""), t("board.orders", { count: number(product.orders_open ?? 0) })),
  ];
}

function roundName(state) {
  const { round, cleared, round_ends_s } = state.depth;
  const key = state.round === null ? "product.openRound" : cleared ? "product.clearedRound" : "product.endedRound";
  return h("span", { title: moment(round_ends_s) }, t(key, { round: number(round) }));
}

/** The round before or after: past ones are those that cleared, the open one is the last. */
function nextRound(state, by) {
  const rounds = state.clearings.map((each) => each.round).sort((one, other) => one - other);
  if (by < 0) {
    const earlier = rounds.filter((each) => each < (state.round ?? Infinity));
    return earlier.at(-1) ?? state.round;
  }
  return rounds.find((each) => state.round !== null && each > state.round) ?? null;
}

/** The book by tick: what is wanted and what is offered, side by side, with bars for the eye. */
function book(depth, product) {
  const [bids, asks] = [depth.bids ?? [], depth.asks ?? []];
  if (!bids.length && !asks.length) return nothing(t("curve.empty"));
  const most = Math.max(...[...bids, ...asks].map((each) => each.units));
  const side = (kind, rows, name) =>
    h(
      "div",
      { class: `side ${kind}` },
      h("h3", {}, name),
      h("div", { class: "rung head", "aria-hidden": "true" }, h("span", {}, perReference(product.class_id)), h("span", {}, t("col.units"))),
      rows.slice(0, 14).map((each) => {
        const rung = h("div", { class: "rung", title: `${t("ticket.tickOnly", { tick: number(each.tick) })} · ${unitPriceText(each.price)}` }, h("span", { class: "number" }, referencePrice(each.price, product.class_id)), h("span", { class: "number" }, number(each.units)), h("i"));
        rung.style.setProperty("--share", String(each.units / most));
        return rung;
      }),
      rows.length > 14 ? h("small", { class: "muted" }, t("list.more", { count: number(rows.length - 14) })) : null,
    );
  return h("div", { class: "book" }, side("bids", bids, t("curve.demand")), side("asks", asks, t("curve.supply")));
}

function fills(state) {
  const rows = state.clearings.filter((each) => each.units).slice(0, 20);
  const quiet = state.clearings.filter((each) => !each.units).length;
  if (!rows.length) return nothing(t("product.noFills"));
  const { product } = state;
  const audit = (row) => h("a", { href: `#/audit/${encodeURIComponent(product.product)}/${row.round}` }, t("product.verify"));
  const list = table(
    t("product.fills"),
    [
      [t("col.time"), (row) => h("span", { title: momentBoth(row.time_s) }, moment(row.time_s))],
      [t("col.round"), (row) => number(row.round), "right"],
      [t("col.priceOf", { unit: perReference(product.class_id) }), (row) => h("strong", {}, referencePrice(row.price, product.class_id)), "right"],
      [t("col.units"), (row) => number(row.units), "right"],
      [t("col.orders"), (row) => number(row.orders ?? 0), "right"],
      ["", audit, "right"],
    ],
    rows,
    { key: (row) => row.round },
  );
  return [list, quiet ? h("p", { class: "fine" }, t("product.quiet", { count: number(quiet) })) : null];
}

