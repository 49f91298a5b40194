// Small things that forms and tables share.
import { h, icon, put } from "/web/dom.js";
import { t } from "/web/i18n.js";

let count = 0;

/** What an account looks like, for inputs: `h("input", {...accountInput(), …})`. */
export const accountInput = () => ({ type: "text", class: "mono", placeholder: "0x…", pattern: "0x[0-9a-fA-F]{40}", title: t("field.account"), autocomplete: "off", spellcheck: "false" });

/** A labelled field; `control` is an input or select. */
export function field(label, control, hint = null) {
  control.id ||= `field-${++count}`;
  const below = hint ? h("small", { id: `${control.id}-hint` }, hint) : null;
  if (below) control.setAttribute("aria-describedby", below.id);
  return h("div", { class: "field" }, h("label", { for: control.id }, label), control, below);
}

/** A select of [value, text] pairs, or of groups {label, options}. */
export function select(options, value, onchange, more = {}) {
  const option = ([each, text]) => h("option", { value: each, selected: String(each) === String(value) }, text);
  const node = h("select", { ...more, onchange: () => onchange?.(node.value) }, options.map((each) => (Array.isArray(each) ? option(each) : h("optgroup", { label: each.label }, each.options.map(option)))));
  return node;
}

/** Choices of which one is pressed. */
export function chips(label, options, value, onchange) {
  const buttons = options.map(([each, text]) =>
    h("button", { type: "button", class: "chip", "aria-pressed": String(each === value), onclick: () => choose(each) }, text),
  );
  const choose = (next) => {
    buttons.forEach((button, index) => button.setAttribute("aria-pressed", String(options[index][0] === next)));
    onchange(next);
  };
  return h("div", { class: "chips", role: "group", "aria-label": label }, buttons);
}

export function copyButton(text, label = t("copy")) {
  const copy = async () => {
    await navigator.clipboard.writeText(text);
    button.classList.add("done");
    setTimeout(() => button.classList.remove("done"), 1500);
  };
  const button = h("button", { type: "button", class: "plain round copy", onclick: copy, "aria-label": label, title: label }, icon("copy"));
  return button;
}

/** A table: `columns` are [heading, cell(row), class?]; on a phone each row becomes a card with its headings. */
export function table(caption, columns, rows, { key = null, onrow = null } = {}) {
  const head = h("tr", {}, columns.map(([heading, , kind]) => h("th", { scope: "col", class: kind }, heading)));
  const line = (row) => {
    const cells = columns.map(([heading, cell, kind]) => h("td", { class: kind, "data-label": heading }, cell(row)));
    const node = h("tr", { "data-key": key?.(row) }, cells);
    onrow?.(node, row);
    return node;
  };
  const body = h("tbody", {}, rows.map(line));
  return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption }, h("table", {}, h("caption", {}, caption), h("thead", {}, head), body));
}

/** A tile with one figure: its label, its value with unit, and a line below. */
export const tile = (label, value, below = null, more = {}) =>
  h("div", { class: "tile", ...more }, h("span", { class: "label" }, label), h("span", { class: "figure" }, value), below ? h("span", { class: "below" }, below) : null);

/** A section with a heading and, at its right, what can be done with it. */
export const section = (title, body, aside = null, more = {}) =>
  h("section", more, h("header", { class: "section" }, h("h2", {}, title), aside), body);

/** Waits until typing has paused; only the last call counts. */
export function paused(work, wait_ms = 250) {
  let timer = 0;
  return (...values) => {
    clearTimeout(timer);
    timer = setTimeout(() => work(...values), wait_ms);
  };
}

/** Replaces a box's content by what `work` gives; while it works the old content stays. */
export async function refresh(box, work, failed) {
  try {
    put(box, await work());
  } catch (error) {
    put(box, failed(error));
  }
}
