// How a price moved since the clearing before: a sign that does not need colour, and the share.
import { h } from "/web/dom.js";
import { change } from "/web/format.js";

export function changeMark(bp) {
  if (bp === null || bp === undefined) return h("span", { class: "change none" }, "–");
  const way = bp > 0 ? "up" : bp < 0 ? "down" : "none";
  return h("span", { class: `change ${way}` }, h("span", { "aria-hidden": "true" }, { up: "▲ ", down: "▼ ", none: "" }[way]), change(bp));
}
