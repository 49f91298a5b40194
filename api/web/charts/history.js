// Clearing prices over time, with the volume of each below; drawn by uPlot, which is loaded when it is needed.
import { h } from "/web/dom.js";
import { clockTime, currentZone, day, moment, perReference, referencePrice, units } from "/web/format.js";
import { t } from "/web/i18n.js";

const DAY_S = 86400;
let loading = null;

function load() {
  loading ??= (async () => {
    const style = h("link", { rel: "stylesheet", href: "/packages/uplot.css" });
    document.head.append(style);
    return (await import("/packages/uplot.js")).default;
  })();
  return loading;
}

const colour = (name) => {
  // Colours are pairs of light and dark: a canvas wants the one that is shown now.
  const probe = h("span", { class: `probe ${name}` });
  document.body.append(probe);
  const value = getComputedStyle(probe).color;
  probe.remove();
  return value;
};

/** Draws `clearings` (oldest first, those that traded) into `box`; gives back {update, close}. */
export async function history(box, clearings, classId) {
  const UPlot = await load();
  const size = () => ({ width: Math.max(260, box.clientWidth), height: 220 });
  const data = (rows) => [rows.map((row) => row.time_s), rows.map((row) => row.price.price_micro), rows.map((row) => row.units)];
  let plot = null;
  let rows = clearings;
  const draw = () => {
    plot?.destroy();
    plot = new UPlot(options(UPlot, size(), classId, rows), data(rows), box);
  };
  const watcher = new ResizeObserver(() => plot && plot.width !== size().width && plot.setSize(size()));
  draw();
  watcher.observe(box);
  addEventListener("theme", draw);
  return {
    update(next) {
      rows = next;
      plot.setData(data(rows));
    },
    close() {
      watcher.disconnect();
      removeEventListener("theme", draw);
      plot.destroy();
    },
  };
}

function options(UPlot, size, classId, rows) {
  const [ink, line, accent, soft] = ["muted", "line", "accent", "soft"].map(colour);
  const zone = currentZone() === "utc" ? "Etc/UTC" : undefined;
  const axis = { stroke: ink, grid: { stroke: line, width: 1 }, ticks: { show: false }, font: "12px system-ui" };
  return {
    ...size,
    cursor: { y: false, points: { size: 7 } },
    legend: { live: true },
    tzDate: (time_s) => (zone ? UPlot.tzDate(new Date(time_s * 1000), zone) : new Date(time_s * 1000)),
    scales: {
      volume: { range: (_, low, high) => [0, Math.max(1, high) * 4] },
      y: { range: (_, low, high) => [low - (high - low || low * 0.02) * 0.35, high + (high - low || low * 0.02) * 0.15] },
    },
    axes: [
      { ...axis, grid: { show: false }, space: 70, values: (_, splits, __, ___, step_s) => splits.map((time_s) => (step_s >= DAY_S ? day(time_s) : clockTime(time_s))) },
      { ...axis, size: 62, values: (_, splits) => splits.map((micro) => referencePrice(Math.round(micro), classId)) },
    ],
    series: [
      { label: t("history.time"), value: (_, time_s) => (time_s === null ? "–" : moment(time_s)) },
      { label: t("history.price", { what: perReference(classId) }), stroke: accent, width: 2, points: { show: rows.length < 40, size: 4, fill: accent }, value: (_, micro) => (micro === null ? "–" : referencePrice(micro, classId)) },
      { label: t("history.units"), scale: "volume", fill: soft, stroke: soft, width: 0, paths: UPlot.paths.bars({ size: [0.6, 14] }), points: { show: false }, value: (_, count) => (count === null ? "–" : units(count)) },
    ],
  };
}
