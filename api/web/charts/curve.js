// Supply and demand of one round as steps, and the point where they met. Volume runs to the right, price upwards.
import { h, put, svg } from "/web/dom.js";
import { compact, number, perReference, referencePrice, referenceText, units } from "/web/format.js";
import { t } from "/web/i18n.js";

const PAD = { left: 58, right: 20, top: 18, bottom: 40 };

/** A phone gets a chart of its own proportions, so that its letters stay readable. */
const sizes = () => (innerWidth < 640 ? { width: 380, height: 300 } : { width: 720, height: 360 });

/** Cumulated steps of one side, best first: [{from, to, price, tick}] in units and micro. */
export function steps(levels) {
  let sum = 0;
  return levels.map(({ tick, price, units: here }) => {
    const from = sum;
    sum += here;
    return { from, to: sum, price: price.price_micro, tick };
  });
}

function scales(bids, asks, clearing) {
  const prices = [...bids, ...asks].map(({ price }) => price);
  if (clearing?.price) prices.push(clearing.price.price_micro);
  const most = Math.max(1, bids.at(-1)?.to ?? 0, asks.at(-1)?.to ?? 0);
  // Far beyond the crossing the longer side says nothing more: the view ends soon after the shorter side.
  const least = Math.min(bids.at(-1)?.to ?? most, asks.at(-1)?.to ?? most);
  const far = Math.min(most, Math.max(least * 1.8, (clearing?.units ?? 0) * 2, 1));
  const [low, high] = [Math.min(...prices), Math.max(...prices)];
  const room = (high - low) * 0.08 || high * 0.1 || 1;
  const bottom = Math.max(0, low - room);
  const { width, height } = sizes();
  const inner = { width: width - PAD.left - PAD.right, height: height - PAD.top - PAD.bottom };
  return {
    width,
    height,
    inner,
    far,
    bottom,
    top: high + room,
    x: (volume) => PAD.left + (Math.min(volume, far) / far) * inner.width,
    y: (micro) => PAD.top + (1 - (micro - bottom) / (high + room - bottom)) * inner.height,
  };
}

/** A side as a line that ends at `edge`; `under` closes it to an area. */
function path(side, { x, y }, edge, under = false) {
  if (!side.length) return "";
  const parts = [`M${x(0)} ${y(side[0].price).toFixed(1)}`];
  for (const { to, price } of side) parts.push(`V${y(price).toFixed(1)}H${x(to).toFixed(1)}`);
  return parts.join("") + `V${edge}` + (under ? `H${x(0)}Z` : "");
}

const nice = (span, count) => {
  const raw = span / count;
  const power = 10 ** Math.floor(Math.log10(raw));
  return [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((step) => step >= raw) ?? raw;
};

function grid(scale, classId) {
  const lines = [];
  const step = nice(scale.top - scale.bottom, 5);
  for (let micro = Math.ceil(scale.bottom / step) * step; micro <= scale.top; micro += step) {
    const y = scale.y(micro);
    lines.push(svg("line", { x1: PAD.left, x2: scale.width - PAD.right, y1: y, y2: y, class: "grid" }));
    lines.push(svg("text", { x: PAD.left - 8, y: y + 4, class: "axis end" }, referencePrice(Math.round(micro), classId)));
  }
  const across = nice(scale.far, 5);
  for (let volume = 0; volume <= scale.far * 1.0001; volume += across) {
    lines.push(svg("text", { x: scale.x(volume), y: scale.height - PAD.bottom + 18, class: "axis middle" }, compact(volume)));
  }
  lines.push(svg("text", { x: scale.width - PAD.right, y: scale.height - 4, class: "axis end name" }, t("curve.units")));
  lines.push(svg("text", { x: PAD.left + 6, y: PAD.top + 2, class: "axis name" }, perReference(classId)));
  return lines;
}

function meeting(clearing, scale, indicative) {
  const [x, y] = [scale.x(clearing.units), scale.y(clearing.price.price_micro)];
  return svg(
    "g",
    { class: indicative ? "meet maybe" : "meet" },
    svg("line", { x1: PAD.left, x2: x, y1: y, y2: y }),
    svg("line", { x1: x, x2: x, y1: y, y2: scale.height - PAD.bottom }),
    svg("circle", { cx: x, cy: y, r: 11, class: "halo" }),
    svg("circle", { cx: x, cy: y, r: 5 }),
  );
}

/** The chart of a depth answer. An open round shows where it would clear now. */
export function curve(depth, classId) {
  const [bids, asks] = [steps(depth.bids ?? []), steps(depth.asks ?? [])];
  const clearing = depth.clearing?.units ? depth.clearing : depth.indicative?.units ? depth.indicative : null;
  if (!bids.length && !asks.length) return h("p", { class: "nothing tall" }, t("curve.empty"));
  const scale = scales(bids, asks, clearing);
  const reading = h("p", { class: "reading", "aria-hidden": "true" });
  const hair = svg("line", { y1: PAD.top, y2: scale.height - PAD.bottom, class: "hair", visibility: "hidden" });
  const chart = svg(
    "svg",
    { viewBox: `0 0 ${scale.width} ${scale.height}`, class: "curve", role: "img", "aria-label": inWords(bids, asks, clearing, classId) },
    grid(scale, classId),
    svg("path", { d: path(bids, scale, scale.height - PAD.bottom, true), class: "under" }),
    svg("path", { d: path(asks, scale, PAD.top), class: "supply" }),
    svg("path", { d: path(bids, scale, scale.height - PAD.bottom), class: "demand" }),
    clearing ? meeting(clearing, scale, !depth.clearing) : null,
    hair,
  );
  const quiet = () => say(reading, clearing, !depth.clearing, classId);
  quiet();
  chart.addEventListener("pointerleave", () => {
    hair.setAttribute("visibility", "hidden");
    quiet();
  });
  chart.addEventListener("pointermove", (event) => {
    const box = chart.getBoundingClientRect();
    const at = ((event.clientX - box.left) / box.width) * scale.width;
    const volume = Math.round(((at - PAD.left) / scale.inner.width) * scale.far);
    if (volume < 0 || volume > scale.far) return;
    hair.setAttribute("x1", at);
    hair.setAttribute("x2", at);
    hair.setAttribute("visibility", "visible");
    const priceAt = (side) => side.find(({ to }) => to >= Math.max(1, volume))?.price ?? null;
    put(reading, t("curve.at", { units: number(volume), bid: referencePrice(priceAt(bids), classId), ask: referencePrice(priceAt(asks), classId), what: perReference(classId) }));
  });
  return h("figure", { class: "curvebox" }, legend(), chart, reading);
}

function say(reading, clearing, indicative, classId) {
  if (!clearing) return put(reading, t("curve.apart"));
  const key = indicative ? "curve.would" : "curve.did";
  return put(reading, t(key, { price: referenceText(clearing.price, classId), units: units(clearing.units) }));
}

const legend = () =>
  h("div", { class: "legend", "aria-hidden": "true" }, h("span", { class: "demand" }, t("curve.demand")), h("span", { class: "supply" }, t("curve.supply")));

function inWords(bids, asks, clearing, classId) {
  const sides = t("curve.words", { bids: number(bids.at(-1)?.to ?? 0), asks: number(asks.at(-1)?.to ?? 0) });
  return clearing ? `${sides} ${t("curve.wordsPrice", { price: referenceText(clearing.price, classId), units: units(clearing.units) })}` : sides;
}
