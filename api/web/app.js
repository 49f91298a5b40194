// The page: its frame, its clock, its stream of events, and one view at a time.
import { startClock, tickNow } from "/web/clock.js";
import { h, put } from "/web/dom.js";
import { frame } from "/web/frame.js";
import { needWords, startLanguage, t } from "/web/i18n.js";
import { listen, startLive } from "/web/live.js";
import { loadMarket } from "/web/market.js";
import { problemBox, say } from "/web/parts/notice.js";
import { startSession } from "/web/session.js";

/** Views by the first word of the address; each is loaded with its texts when it is first seen. */
const VIEWS = {
  "": () => import("/web/views/board.js"),
  product: () => import("/web/views/product.js"),
  portfolio: () => import("/web/views/portfolio.js"),
  provider: () => import("/web/views/provider.js"),
  jobs: () => import("/web/views/jobs.js"),
  audit: () => import("/web/views/audit.js"),
};
const WORDS = {
  "": [],
  product: ["product"],
  portfolio: ["portfolio", "use"],
  provider: ["provider", "use"],
  jobs: ["jobs", "portfolio", "use"],
  audit: ["audit", "portfolio"],
};

let shell = null;
let shown = null;
let turn = 0;
let loading = 0;
const missed = [];

/** A word of the address; one that nobody encoded stays as it is. */
function decoded(word) {
  try {
    return decodeURIComponent(word);
  } catch {
    return word;
  }
}

/** The address as words and options: `#/product/CODE?side=sell`. */
function place() {
  const [path, search = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const words = path.split("/").map(decoded);
  return { name: words[0] in VIEWS ? words[0] : "", words: words.slice(1), options: new URLSearchParams(search) };
}

/** Shows the view of the address. A slower one that was asked for earlier never replaces it. */
async function show(moved) {
  const mine = ++turn;
  const { name, words, options } = place();
  shell.mark(name);
  loading += 1;
  try {
    const [module] = await Promise.all([VIEWS[name](), needWords(WORDS[name])]);
    const view = await module.open(words, options);
    if (mine !== turn) return leave(view);
    shown?.close?.();
    shown = view;
    put(shell.main, view.node);
    document.title = `${view.title} · ${t("app.name")}`;
  } catch (error) {
    if (mine !== turn) return leave(null);
    shown?.close?.();
    shown = null;
    put(shell.main, h("div", { class: "page" }, problemBox(error, () => show(false))));
  }
  loaded();
  tickNow();
  if (moved) {
    scrollTo(0, 0);
    const heading = shell.main.querySelector("h1");
    heading?.setAttribute("tabindex", "-1");
    heading?.focus({ preventScroll: true });
  }
}

/** Drops a view that came too late to be shown. */
function leave(view) {
  view?.close?.();
  loaded();
}

/** What happened while views were being loaded may or may not be in the one that is shown. */
function loaded() {
  loading -= 1;
  if (!loading) missed.splice(0).forEach((heard) => shown?.update?.(...heard));
}

/** Builds everything again, in the language and with the clock that were just chosen. */
async function draw() {
  shell = frame(draw);
  put(document.getElementById("app"), shell.node);
  await show(false);
}

/** What is news for the view: blocks, and that anything may have happened while nobody told of it. */
function hear(kind, event) {
  if (kind === "reorg") say(t("live.reorg", { block: event.from_block }));
  if (kind === "state" && event !== "live") return;
  if (!["state", "reorg", "block"].includes(kind)) return;
  const news = kind === "block" ? [kind, event] : ["reorg", event];
  if (loading) missed.push(news);
  else shown?.update?.(...news);
}

async function start() {
  await startLanguage();
  startClock();
  listen(hear);
  startLive();
  await Promise.all([loadMarket().catch(() => null), startSession().catch(() => null)]);
  await draw();
  addEventListener("hashchange", () => show(true));
  // A view that is about nobody keeps what was typed into it.
  addEventListener("identity", () => shown?.personal && show(false));
  document.documentElement.dataset.ready = "yes";
  // What is refused is said in plain words as soon as these are there.
  await needWords(["refusals"]).catch(() => null);
}

start();
