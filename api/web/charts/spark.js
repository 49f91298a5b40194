// A price line the size of a word.
import { svg } from "/web/dom.js";

const [WIDTH, HEIGHT] = [96, 28];

export function spark(values, label) {
  if (!values || values.length < 2) return svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "spark", "aria-hidden": "true" });
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const span = high - low || 1;
  const x = (index) => 2 + (index * (WIDTH - 6)) / (values.length - 1);
  const y = (value) => (high === low ? HEIGHT / 2 : HEIGHT - 4 - ((value - low) / span) * (HEIGHT - 8));
  const path = values.map((value, index) => `${index ? "L" : "M"}${x(index).toFixed(1)} ${y(value).toFixed(1)}`).join("");
  const last = values.length - 1;
  return svg(
    "svg",
    { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "spark", role: "img", "aria-label": label },
    svg("path", { d: `${path}L${x(last)} ${HEIGHT}L${x(0)} ${HEIGHT}Z`, class: "under" }),
    svg("path", { d: path }),
    svg("circle", { cx: x(last), cy: y(values[last]), r: 2.2 }),
  );
}
