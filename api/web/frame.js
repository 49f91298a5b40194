// The frame around every view: the name, where one can go, the state of the chain, language, clock, theme, account.
import { h, icon, put } from "/web/dom.js";
import { currentZone, number, setZone, short } from "/web/format.js";
import { currentLanguage, keep, LANGUAGES, recalled, setLanguage, t } from "/web/i18n.js";
import { latestBlock, listen, liveState } from "/web/live.js";
import { market } from "/web/market.js";
import { noticeArea } from "/web/parts/notice.js";
import { identity } from "/web/session.js";

const PLACES = [
  ["", "market"],
  ["portfolio", "portfolio"],
  ["provider", "provider"],
  ["jobs", "jobs"],
  ["audit", "audit"],
];
let unlisten = () => {};

/** The frame's node, its `main` for the view, and `mark(name)` for the place one is at. `redraw` starts it all anew. */
export function frame(redraw) {
  const links = PLACES.map(([name, key]) =>
    h("a", { href: `#/${name}`, "data-name": name }, icon(key), h("span", {}, t(`nav.${key}`))),
  );
  const main = h("main", { id: "main" });
  const skip = h("a", { class: "skip", href: "#main", onclick: (event) => focusMain(event, main) }, t("nav.skip"));
  const bar = h(
    "header",
    { class: "bar" },
    h("a", { class: "brand", href: "#/", "aria-label": t("app.name") }, mark(), h("span", {}, t("app.name"))),
    h("nav", { "aria-label": t("nav.label") }, links),
    h("div", { class: "tools" }, chainState(), clockButton(redraw), languageButton(redraw), themeButton(), accountButton()),
  );
  const node = [skip, bar, main, footer(), noticeArea()];
  return {
    node,
    main,
    mark(name) {
      const current = name === "product" ? "" : name;
      for (const each of links) {
        if (each.dataset.name === current) each.setAttribute("aria-current", "page");
        else each.removeAttribute("aria-current");
      }
    },
  };
}

function focusMain(event, main) {
  event.preventDefault();
  main.setAttribute("tabindex", "-1");
  main.focus();
}

function mark() {
  return h("img", { src: "/web/icon.svg", width: "28", height: "28", alt: "" });
}

/** A dot that breathes with the chain, and its latest block. */
function chainState() {
  const named = (latest) => t("live.block", { block: number(latest) });
  const block = h("span", { class: "number" }, latestBlock() === null ? "" : named(latestBlock()));
  const box = h("span", { class: "chain", role: "status" }, h("i", { class: "dot" }), block);
  const show = (kind, event) => {
    if (kind === "block") put(block, named(event.block));
    if (kind === "state" && liveState() !== "live") put(block, t("live.reconnecting"));
    box.dataset.state = liveState();
    if (kind !== "block") return;
    box.classList.remove("beat");
    void box.offsetWidth;
    box.classList.add("beat");
  };
  unlisten();
  unlisten = listen(show);
  box.dataset.state = liveState();
  return box;
}

function clockButton(redraw) {
  const other = currentZone() === "utc" ? "local" : "utc";
  const turn = () => {
    setZone(other);
    redraw();
  };
  const name = currentZone() === "utc" ? "UTC" : t("time.local");
  return h("button", { class: "plain", onclick: turn, title: t("time.switch"), "aria-label": `${t("time.switch")} (${name})` }, name);
}

function languageButton(redraw) {
  const other = currentLanguage() === "en" ? "zh" : "en";
  const turn = async () => {
    await setLanguage(other);
    redraw();
  };
  return h("button", { class: "plain", lang: other, onclick: turn, id: "language" }, LANGUAGES[other]);
}

function themeButton() {
  const turn = () => {
    const root = document.documentElement;
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    keep("theme", root.dataset.theme);
    dispatchEvent(new Event("theme"));
  };
  return h("button", { class: "plain round", onclick: turn, "aria-label": t("theme.switch"), title: t("theme.switch"), "data-was": recalled("theme") ?? "" }, icon("sun"));
}

function accountButton() {
  const open = async () => (await import("/web/parts/account.js")).openAccount();
  const button = h("button", { class: "account", id: "account", onclick: open });
  const show = () => {
    const who = identity();
    put(button, who ? [h("i", { class: `kind ${who.kind}` }), short(who.name ?? who.address)] : t("account.connect"));
    button.title = who ? `${t(`account.kind.${who.kind}`)} ${who.address}` : "";
  };
  show();
  addEventListener("identity", show);
  return button;
}

function footer() {
  const { chain_name, chain_id } = market();
  return h(
    "footer",
    { class: "foot" },
    h("span", {}, chain_id ? t("foot.chain", { name: chain_name ?? "", id: chain_id }) : ""),
    h("span", {}, t("foot.money")),
    h("a", { href: "/openapi.json" }, t("foot.api")),
    h("a", { href: "#/audit" }, t("foot.audit")),
  );
}
