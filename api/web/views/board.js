// The market board: what one needs, in a line; what compute costs now; every product that trades.
import { again } from "/web/again.js";
import { h, put } from "/web/dom.js";
import { compact, hoursText, number, perReference, referencePrice, unitPriceText, windowText } from "/web/format.js";
import { all, query } from "/web/http.js";
import { t } from "/web/i18n.js";
import { classes, grades, latencyOf, roundSeconds, tiers } from "/web/market.js";
import { className, gradeName, placeName, productLink, starts, tierName } from "/web/names.js";
import { renew } from "/web/renew.js";
import { spark } from "/web/charts/spark.js";
import { buyLine } from "/web/parts/buyline.js";
import { changeMark } from "/web/parts/change.js";
import { nothing } from "/web/parts/notice.js";
import { chips, select } from "/web/parts/fields.js";

const chosen = { class: "", tier: "", area: "", grade: "" };
const LIMIT = 200;
const PAUSE_MS = 1500;

export async function open() {
  const state = { products: [], more: false };
  const headline = h("div", { class: "indices" });
  const board = h("div", { class: "board" });
  const round = h("p", { class: "muted" });
  const load = async () => {
    const answer = await all(`/products${query({ open: true, limit: LIMIT })}`, 1000);
    state.products = answer.data;
  };
  await load();
  const buy = buyLine(() => state.products);
  const draw = () => {
    put(headline, indices(state.products));
    renew(round, roundNow(state.products));
    drawBoard(board, state.products.filter(wanted));
  };
  draw();
  // Many blocks, few loads.
  const reload = again(async () => {
    await load();
    draw();
    buy.update();
  }, PAUSE_MS);
  const update = (kind, event) => (kind === "reorg" || event.products?.length !== 0) && reload();
  const node = h(
    "div",
    { class: "page" },
    h("section", { class: "hero" }, h("h1", {}, t("board.title")), h("p", { class: "lead" }, t("board.lead")), buy.node),
    headline,
    h("section", {}, h("header", { class: "section" }, h("h2", {}, t("board.products")), filters(state, draw)), round, board),
  );
  return { node, title: t("board.name"), update, close: () => reload.stop() };
}

/** The round that is open: when it closes, and what waits in it. */
function roundNow(products) {
  if (!products.length) return null;
  const { round, round_ends_s } = products[0];
  const busy = products.filter((each) => each.orders_open);
  const waiting = t("board.roundOrders", { count: number(busy.reduce((sum, each) => sum + each.orders_open, 0)), products: number(busy.length) });
  const left = h("strong", { class: "number left", "data-until": round_ends_s, "data-whole": roundSeconds(), "data-then": t("board.any") });
  return [t("board.round", { round: number(round) }), " ", left, ` · ${waiting}`];
}

const wanted = (product) =>
  (!chosen.class || product.class === chosen.class) &&
  (!chosen.tier || product.tier === chosen.tier) &&
  (!chosen.grade || product.grade === chosen.grade) &&
  (!chosen.area || String(product.area?.code ?? 0) === chosen.area);

function filters(state, draw) {
  const set = (name) => (value) => {
    chosen[name] = value;
    draw();
  };
  const any = [["", t("filter.all")]];
  const names = classes().length ? classes().map((each) => each.class) : [...new Set(state.products.map((each) => each.class))];
  const present = new Map(state.products.filter((each) => each.area).map((each) => [String(each.area.code), each.area]));
  const places = [...present].map(([code, area]) => [code, placeName(area)]).sort((one, other) => one[1].localeCompare(other[1]));
  return h(
    "div",
    { class: "filters" },
    chips(t("filter.class"), [...any, ...names.map((name) => [name, className(name)])], chosen.class, set("class")),
    select([["", t("filter.anyTier")], ...tiers().map((tier) => [tier, tierName(tier)])], chosen.tier, set("tier"), { "aria-label": t("filter.tier") }),
    select([["", t("filter.anyArea")], ["0", t("place.anywhere")], ...places], chosen.area, set("area"), { "aria-label": t("filter.area") }),
    select([["", t("filter.anyGrade")], ...grades().map((grade) => [grade, gradeName(grade)])], chosen.grade, set("grade"), { "aria-label": t("filter.grade") }),
  );
}

/** One figure a class: what its units cost on average in the last clearings, weighed by volume. */
function indices(products) {
  const groups = Map.groupBy ? Map.groupBy(products.filter((each) => each.last), (each) => each.class) : groupBy(products.filter((each) => each.last));
  return [...groups].sort(([, one], [, other]) => one[0].class_id - other[0].class_id).map(([name, group]) => index(name, group));
}

function groupBy(products) {
  const groups = new Map();
  for (const each of products) groups.set(each.class, [...(groups.get(each.class) ?? []), each]);
  return groups;
}

function index(name, group) {
  const classId = group[0].class_id;
  const weight = (each) => each.last.units * each.hours;
  const total = group.reduce((sum, each) => sum + weight(each), 0);
  const price = Math.round(group.reduce((sum, each) => sum + each.last.price.price_micro * weight(each), 0) / Math.max(1, total));
  const changes = group.filter((each) => each.change_bp !== null && each.change_bp !== undefined);
  const bp = changes.length ? Math.round(changes.reduce((sum, each) => sum + each.change_bp, 0) / changes.length) : null;
  const busiest = [...group].sort((one, other) => weight(other) - weight(one))[0];
  return h(
    "a",
    { class: "index", href: productLink(busiest), title: t("index.title", { count: number(group.length) }) },
    h("span", { class: "label" }, className(name)),
    h("span", { class: "figure" }, referencePrice(price, classId)),
    h("span", { class: "unit" }, perReference(classId)),
    h("span", { class: "row tight" }, changeMark(bp), spark(busiest.sparkline, t("spark.label"))),
  );
}

/** Rows stay the same elements from load to load, so that the eye and the focus stay where they are. */
function drawBoard(board, products) {
  if (!products.length) return put(board, nothing(t("board.empty")));
  const order = [...products].sort(
    (one, other) => one.class_id - other.class_id || one.start_s - other.start_s || latencyOf(one.tier) - latencyOf(other.tier) || one.product.localeCompare(other.product),
  );
  const old = new Map([...board.querySelectorAll(".line")].map((line) => [line.dataset.key, line]));
  const lines = order.map((product) => {
    const line = old.get(product.product) ?? h("a", { class: "line", href: productLink(product), "data-key": product.product });
    fillLine(line, product);
    return line;
  });
  if (!board.querySelector(".heads")) put(board, heads());
  const gone = [...board.querySelectorAll(".line")].filter((line) => !lines.includes(line));
  gone.forEach((line) => line.remove());
  lines.forEach((line, place) => {
    if (board.children[place + 1] !== line) board.insertBefore(line, board.children[place + 1] ?? null);
  });
  return board;
}

const heads = () =>
  h("div", { class: "heads", "aria-hidden": "true" }, ["product", "window", "price", "change", "volume", "trend", "next"].map((name) => h("span", { class: `c-${name}` }, t(`col.${name}`))));

function fillLine(line, product) {
  const print = JSON.stringify([product.last, product.change_bp, product.volume_units_24h, product.orders_open, product.round]);
  if (line.dataset.print === print) return;
  const fresh = line.dataset.print && line.dataset.round !== String(product.last?.round);
  line.dataset.print = print;
  line.dataset.round = String(product.last?.round);
  put(
    line,
    h("span", { class: "c-product" }, h("strong", {}, placeName(product.area)), h("small", {}, `${className(product.class)} · ≤ ${t("unit.ms", { count: latencyOf(product.tier) })} · ${gradeName(product.grade)}`)),
    h("span", { class: "c-window", title: windowText(product.start_s, product.end_s) }, starts(product), h("small", {}, hoursText(product.hours))),
    h("span", { class: "c-price" }, product.last ? [h("strong", { class: "number" }, referencePrice(product.last.price, product.class_id)), h("small", { class: "unit" }, ` ${perReference(product.class_id)}`), h("small", { class: "fine" }, unitPriceText(product.last.price))] : h("small", {}, t("board.noPrice"))),
    h("span", { class: "c-change" }, changeMark(product.change_bp)),
    h("span", { class: "c-volume" }, h("span", { class: "number" }, compact(product.volume_units_24h ?? 0)), h("small", {}, t("board.volumeUnit"))),
    h("span", { class: "c-trend" }, spark(product.sparkline, t("spark.label"))),
    h("span", { class: "c-next" }, next(product)),
  );
  if (fresh) {
    line.classList.remove("fresh");
    void line.offsetWidth;
    line.classList.add("fresh");
  }
}

function next(product) {
  return [
    h("span", { class: "number left", "data-until": product.round_ends_s, "data-whole": roundSeconds() }, ""),
    h("small", {}, t("board.orders", { count: number(product.orders_open ?? 0) })),
  ];
}

