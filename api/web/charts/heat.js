// A calendar of hours: a row a day, a cell an hour, the fuller the darker.
import { h, put, svg } from "/web/dom.js";
import { clockTime, currentZone, day, number } from "/web/format.js";
import { t } from "/web/i18n.js";

const [CELL, GAP, LEFT, TOP] = [22, 3, 76, 18];
const HOUR_S = 3600;

/** `hours` are {hour, committed_units, free_units}; `chosen` is told of a cell that is clicked. */
export function heat(hours) {
  const shift = currentZone() === "utc" ? 0 : -Math.round(new Date(hours[0].hour * HOUR_S * 1000).getTimezoneOffset() / 60);
  const dayOf = (hour) => Math.floor((hour + shift) / 24);
  const first = dayOf(hours[0].hour);
  const rows = dayOf(hours.at(-1).hour) - first + 1;
  const reading = h("p", { class: "reading" }, t("heat.hint"));
  const chart = svg("svg", { viewBox: `0 0 ${LEFT + 24 * (CELL + GAP)} ${TOP + rows * (CELL + GAP)}`, class: "heat", role: "img", "aria-label": inWords(hours) });
  for (let hour = 0; hour < 24; hour += 3) chart.append(svg("text", { x: LEFT + hour * (CELL + GAP) + CELL / 2, y: 11, class: "axis middle" }, String(hour).padStart(2, "0")));
  const named = new Set();
  for (const each of hours) {
    const row = dayOf(each.hour) - first;
    const column = (((each.hour + shift) % 24) + 24) % 24;
    const y = TOP + row * (CELL + GAP);
    if (!named.has(row)) {
      named.add(row);
      chart.append(svg("text", { x: 0, y: y + 15, class: "axis" }, day(each.hour * HOUR_S)));
    }
    chart.append(cell(each, LEFT + column * (CELL + GAP), y, reading));
  }
  return h("figure", { class: "heatbox" }, h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": t("heat.label") }, chart), reading);
}

function cell(each, x, y, reading) {
  const all = each.committed_units + each.free_units;
  const share = all ? each.committed_units / all : 0;
  const level = all === 0 ? "none" : share === 0 ? "0" : String(Math.min(5, Math.ceil(share * 5)));
  const box = svg("rect", { x, y, width: CELL, height: CELL, rx: 4, class: `level${level}` });
  box.addEventListener("pointerenter", () =>
    put(reading, t("heat.cell", { day: day(each.hour * HOUR_S), clock: clockTime(each.hour * HOUR_S), committed: number(each.committed_units), free: number(each.free_units) })),
  );
  return box;
}

function inWords(hours) {
  const busy = hours.filter((each) => each.committed_units > 0).length;
  return t("heat.words", { hours: number(hours.length), busy: number(busy) });
}
