// Dispatches under way: how far each job is, what it cost and what came back. While the page is open it moves them on.
import { h, put } from "/web/dom.js";
import { number, usd } from "/web/format.js";
import { facts, get, post } from "/web/http.js";
import { say, sentence, t } from "/web/i18n.js";
import { follow, nothing, problemBox } from "/web/parts/notice.js";
import { renew } from "/web/renew.js";
import { bearer, identity, isSignedIn } from "/web/session.js";

const STEP_MS = 2500;
const SHOWN = 5;

/** The box of one's dispatches: {node, add(state), reload, close}. */
export function campaigns() {
  const states = new Map();
  const box = h("div", { class: "stack" });
  const life = { alive: true, going: new Set() };
  const draw = () => {
    const rows = [...states.values()].sort((one, other) => other.id - one.id);
    renew(box, rows.length ? rows.map((state) => card(state, stop)) : nothing(t("jobs.campaignsNone")));
  };
  const add = (state) => {
    states.set(state.id, state);
    draw();
    if (!state.ended) go(state.id);
  };
  const go = async (id) => {
    if (life.going.has(id)) return;
    life.going.add(id);
    while (life.alive && states.get(id) && !states.get(id).ended && identity()?.kind === "key") {
      await new Promise((resolve) => setTimeout(resolve, STEP_MS));
      if (!life.alive) break;
      // What fails for the moment is asked for again.
      const state = await advance(id).catch(() => null);
      if (state && states.has(id)) states.set(id, state);
      draw();
    }
    life.going.delete(id);
  };
  const stop = async (event, id) => {
    const state = await follow(event.currentTarget, t("jobs.stop"), async () => facts(await post(`/dispatch/${id}/stop`, {}, { key: await bearer() })));
    if (state) add(state);
  };
  const reload = () => {
    states.clear();
    load(box, add, draw);
  };
  reload();
  return { node: box, add, reload, close: () => (life.alive = false) };
}

const advance = async (id) => facts(await post(`/dispatch/${id}/advance`, {}, { key: await bearer() }));

async function load(box, add, draw) {
  if (!identity()) return draw();
  if (!isSignedIn()) {
    const signIn = async (event) => (await follow(event.currentTarget, t("jobs.signIn"), () => bearer())) && load(box, add, draw);
    return put(box, h("button", { type: "button", onclick: signIn }, t("jobs.signIn")));
  }
  draw();
  try {
    const key = await bearer();
    const rows = facts(await get(`/dispatch?limit=${SHOWN}`, { key }));
    const states = await Promise.all(rows.map((row) => get(`/dispatch/${row.id}`, { key })));
    return states.forEach((state) => add(facts(state)));
  } catch (error) {
    return put(box, problemBox(error));
  }
}

function card(state, stop) {
  const money = t("jobs.money", { escrow: usd(state.escrow_micro), spent: usd(state.spent_micro), refunded: usd(state.refunded_micro) });
  return h(
    "article",
    { class: "campaign", "data-key": `campaign ${state.id}` },
    h("header", { class: "row spread" }, h("strong", {}, t("jobs.campaign", { number: number(state.id) })), h("span", { class: `badge ${state.ended ? "" : "good"}` }, say("jobs.phase", state.phase))),
    h("ul", { class: "bars" }, state.jobs.map((job) => bar(job))),
    h("p", { class: "muted" }, money),
    state.sold_micro > 0 ? h("p", { class: "muted" }, t("jobs.sold", { sold: usd(state.sold_micro), count: number(state.sold_unit_hours) })) : null,
    state.ended ? null : h("p", { class: "fine" }, state.note ? `${capital(state.note.split("; ").map(sentence).join("; "))} ` : "", t("jobs.moves")),
    leasesOf(state),
    state.ended || state.stopped ? null : h("div", { "data-key": `stop ${state.id}` }, h("button", { type: "button", onclick: (event) => stop(event, state.id) }, t("jobs.stop"))),
  );
}

/** A note of the dispatcher as a sentence. */
const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?。]$/.test(text) ? " " : t("mark.end"));

const PARTS = [
  ["delivered", "jobs.delivered"],
  ["running", "jobs.running"],
  ["bidding", "jobs.bidding"],
  ["failed", "jobs.failed"],
  ["remaining", "jobs.remaining"],
];

/** A job as a bar of its parts; what each is stands below in words. */
function bar(job) {
  const parts = PARTS.filter(([name]) => job[name] > 0);
  const strip = h("div", { class: "strip", role: "img", "aria-label": t("jobs.progress", { name: job.name, done: number(job.delivered), wanted: number(job.wanted) }) });
  for (const [name] of parts) {
    const part = h("i", { class: name });
    part.style.setProperty("--share", String(job[name] / Math.max(1, job.wanted)));
    strip.append(part);
  }
  return h("li", {}, h("span", { class: "row tight spread" }, h("strong", {}, job.name), h("small", {}, t("unit.unitHours", { count: number(job.wanted) }))), strip, h("small", {}, parts.map(([name, key]) => t(key, { count: number(job[name]) })).join(" · ")));
}

function leasesOf(state) {
  const leases = state.jobs.flatMap((job) => job.leases);
  if (!leases.length) return null;
  return h("p", {}, h("a", { href: "#/portfolio" }, leases.slice(0, 12).map((lease) => t("lease.name", { lease: number(lease) })).join(", ")));
}
