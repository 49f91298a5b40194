// Builds elements. Text only ever becomes text: what strangers wrote cannot become markup here.

const SVG = "http://www.w3.org/2000/svg";

/** An element: `h("button", {class: "primary", onclick: buy}, "Buy")`. Props that start with "on" are listeners. */
export function h(tag, props = {}, ...children) {
  return fill(document.createElement(tag), props, children);
}

/** The same for SVG. */
export function svg(tag, props = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), props, children);
}

function fill(element, props, children) {
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "value" && "value" in element) element.value = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  append(element, children);
  return element;
}

function append(element, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
}

/** Puts `children` in the place of all that an element holds. */
export function put(element, ...children) {
  element.replaceChildren();
  append(element, children);
  return element;
}

/** A link, but only to the web: any other address stays text. */
export function link(address, text = address) {
  return /^https?:\/\//i.test(address)
    ? h("a", { href: address, rel: "noopener noreferrer nofollow", target: "_blank" }, text)
    : h("span", {}, text);
}

/** Icons, drawn with strokes of the text's colour. */
const PATHS = {
  market: "M3 17l5-6 4 3 5-8 4 4",
  portfolio: "M4 7h16v12H4zM9 7V5h6v2",
  provider: "M5 4h14v6H5zM5 14h14v6H5zM8 7h.01M8 17h.01",
  jobs: "M5 5l6 7-6 7M13 19h6",
  audit: "M5 12l5 5 9-10",
  sun: "M12 7.5a4.5 4.5 0 100 9 4.5 4.5 0 000-9zM12 2v2M12 20v2M2 12h2M20 12h2M5 5l1.4 1.4M17.6 17.6L19 19M5 19l1.4-1.4M17.6 6.4L19 5",
  close: "M6 6l12 12M18 6L6 18",
  left: "M14 6l-6 6 6 6",
  right: "M10 6l6 6-6 6",
  copy: "M9 9h10v11H9zM5 15V4h10",
  down: "M12 4v11M7 11l5 5 5-5M5 20h14",
};

export function icon(name) {
  return svg("svg", { viewBox: "0 0 24 24", class: "icon", "aria-hidden": "true" }, svg("path", { d: PATHS[name] }));
}
