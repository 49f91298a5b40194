// What a dispatch would do: how much of it runs, where and when, what it buys, what is left over and why; and doing it.
import { h } from "/web/dom.js";
import { clockTime, day, dollars, microOf, number, percent, referenceText, unitPriceText, units, usd } from "/web/format.js";
import { facts, post } from "/web/http.js";
import { refusalWords, say, sentence, t } from "/web/i18n.js";
import { matrix } from "/web/charts/matrix.js";
import { classOf } from "/web/market.js";
import { productLink, productOf } from "/web/names.js";
import { whoever } from "/web/parts/account.js";
import { approvalSteps } from "/web/parts/approve.js";
import { section, table, tile } from "/web/parts/fields.js";
import { follow, nothing, refusalLines } from "/web/parts/notice.js";
import { keepDocument } from "/web/parts/document.js";
import { productCell } from "/web/parts/orders.js";
import { actAll, apiKey, identity } from "/web/session.js";

const HOUR_S = 3600;

/**
 * A /dispatch/preview answer, drawn; `asked` is what was asked. `started(state)` is told of a dispatch, `again()` asks
 * anew.
 */
export function dispatchPlan(plan, asked, command, started, again) {
  const placed = plan.placements.length > 0;
  return [
    h("div", { class: "tiles" }, totals(plan)),
    noLimit(plan, asked),
    placed ? doing(plan, command, started, again) : null,
    plan.refusals?.length && identity() ? h("div", { class: "problem", role: "alert" }, plan.refusals.map(refusalLines)) : null,
    placed ? section(t("jobs.matrix"), [matrix(plan), plan.verified ? h("p", { class: "fine good" }, "✓ ", t("jobs.verified")) : null], null, { class: "card" }) : nothing(t("jobs.nothing")),
    section(t("jobs.table"), jobRows(plan), null, { class: "card" }),
    placed ? section(t("jobs.purchases"), plan.purchases.length ? purchaseRows(plan) : nothing(t("jobs.free")), null, { class: "card" }) : null,
  ];
}

function totals({ totals: sum }) {
  const mean = sum.unit_hours ? Math.round(Number(expected(sum)) / sum.unit_hours) : null;
  return [
    tile(t("jobs.cost"), usd(expected(sum)), t("jobs.costBelow")),
    tile(t("jobs.placed"), t("unit.unitHours", { count: number(sum.unit_hours) }), t("jobs.placedOf", { count: number(sum.wanted_unit_hours) })),
    tile(t("jobs.escrow"), usd(sum.escrow_micro), t("jobs.escrowBelow")),
    tile(t("jobs.mean"), mean === null ? "–" : dollars(mean, 6), t("unit.per", { what: t("unit.unitHour") })),
  ];
}

/** What the books expect all that is bought to cost; what it would cost at the prices offered where they say nothing. */
const expected = (sum) => (BigInt(sum.expected_micro ?? 0) ? sum.expected_micro : sum.cost_micro);

/** A job that names no price gets a limit all the same: it is said. */
function noLimit(plan, asked) {
  const [job] = asked.jobs ?? [];
  const sum = plan.totals;
  if (!job || job.price || !Number(sum.wanted_unit_hours)) return null;
  const micro = Math.round(Number(sum.most_micro) / Number(sum.wanted_unit_hours));
  return h("p", { class: "fine" }, t("jobs.noLimit", { most: referenceText(micro, classOf(job.class)?.class_id ?? 1) }));
}

const whenText = (hour) => `${day(hour * HOUR_S)}, ${clockTime(hour * HOUR_S)}`;

/** One line a job: what of it runs, when and where, and what is left over in words. */
function jobRows(plan) {
  // What is offered asks for one price, and all that trade pay another: each job's part of what is expected together.
  const rate = Number(plan.totals.cost_micro) ? Number(expected(plan.totals)) / Number(plan.totals.cost_micro) : 1;
  const rows = plan.body.jobs.map((job, place) => {
    const mine = plan.placements.filter((each) => each.job === place);
    const left = plan.left.filter((each) => each.job === place);
    const micro = mine.reduce((sum, each) => sum + each.units * each.price_micro, 0);
    return { job, mine, left, done: mine.reduce((sum, each) => sum + each.units, 0), micro: Math.round(micro * rate) };
  });
  return table(
    t("jobs.table"),
    [
      [t("jobs.job"), ({ job }) => h("span", {}, h("strong", {}, job.name), h("small", {}, `${units(job.units)} · ${t("unit.hours", { count: number(job.hours) })}`))],
      [t("jobs.served"), ({ job, done }) => t("unit.unitHours", { count: `${number(done)} / ${number(job.units * job.hours)}` }), "right"],
      [t("jobs.when"), ({ mine }) => (mine.length ? span(mine) : "–"), "right"],
      [t("jobs.cost"), ({ mine, micro }) => (mine.length ? usd(micro) : "–"), "right"],
      [t("jobs.left"), ({ left }) => (left.length ? left.map(leftOver) : h("span", { class: "good" }, t("jobs.leftNothing"))), "right"],
    ],
    rows,
  );
}

function span(mine) {
  const hours = mine.map((each) => each.hour);
  const sites = new Set(mine.map((each) => each.site)).size;
  const far_us = Math.max(...mine.map((each) => each.latency_us ?? 0));
  const where = [t("jobs.sitesOf", { count: number(sites) }), far_us ? t("jobs.latency", { ms: number(far_us / 1000, 1) }) : ""].filter(Boolean).join(", ");
  return h("span", {}, `${whenText(Math.min(...hours))} → ${whenText(Math.max(...hours) + 1)}`, h("small", {}, where));
}

/** Why, in the reader's language; the exact words of the planner in the title. */
const leftOver = (each) => h("span", { class: "bad", title: each.text }, t("jobs.leftOf", { count: number(each.unit_hours), why: say("jobs.why", each.why) }), h("small", {}, sentence(each.text), each.our_limit ? ` ${t("jobs.ourLimit")}` : ""));

function purchaseRows(plan) {
  return table(
    t("jobs.purchases"),
    [
      [t("col.product"), (row) => productCell(productOf(row.product))],
      [t("col.units"), (row) => h("span", {}, units(row.units), h("small", {}, t("jobs.used", { used: number(row.used_unit_hours ?? row.units * row.hours), whole: number(row.units * row.hours) }))), "right"],
      [t("col.limit"), (row) => unitPriceText(microOf(row.price_micro)), "right"],
      [t("jobs.escrow"), (row) => usd(row.escrow_micro), "right"],
      [t("jobs.expected"), (row) => usd(row.expected_micro), "right"],
      ["", (row) => (row.preview?.refusal && identity() ? h("span", { class: "bad" }, refusalWords(row.preview.refusal).detail) : h("a", { href: productLink(row) }, t("ticket.look.product"))), "right"],
    ],
    plan.purchases,
  );
}

/** The button: an account kept here runs it all by itself, a wallet signs each step. */
function doing(plan, command, started, again) {
  const kept = !identity() || identity().kind === "key";
  const { totals: sum } = plan;
  const share = percent(Math.floor((Number(sum.unit_hours) * 10_000) / Math.max(1, Number(sum.wanted_unit_hours))), 0);
  const title = kept ? (plan.purchases.length ? t("jobs.do", { share, most: usd(sum.escrow_micro) }) : t("jobs.doHeld", { share })) : plan.purchases.length ? t("jobs.doBids", { count: number(plan.purchases.length) }) : t("jobs.redeem", { count: number(plan.redemptions?.length ?? 0) });
  const button = h("button", { class: "primary wide", type: "button" }, title);
  const press = async () => {
    const known = identity() !== null;
    if (!(await whoever())) return;
    // Somebody who was nobody until now sees first what stops it.
    if (!known && identity().kind !== "key") return again();
    if (identity().kind === "key") {
      const state = await follow(button, title, () => start(plan, command), t("jobs.started"));
      if (state) started(state);
    } else {
      const done = await follow(button, title, (told) => signEach(plan, told));
      if (done) again();
    }
  };
  button.addEventListener("click", press);
  const held = plan.placements.reduce((all, each) => all + (each.held ? each.units : 0), 0);
  return h("div", { class: "stack" }, button, held ? h("p", { class: "fine" }, t("jobs.usesHeld", { count: number(held) })) : null, kept ? null : h("p", { class: "fine" }, t("jobs.doBidsHint")));
}

async function start(plan, command) {
  const body = structuredClone(plan.body);
  delete body.owner;
  if (command) body.jobs[0].job = await keepDocument(command);
  return facts(await post("/dispatch", body, { key: apiKey(), once: crypto.randomUUID() }));
}

/** The bids of a plan, or what is to be redeemed of what is held, with the wallet's or the throw-away key's signature. */
async function signEach(plan, told) {
  const plain = ({ owner: _, ...body }) => body;
  const steps = plan.purchases.length
    ? [...(await approvalSteps(plan.totals.escrow_micro)), ...plan.purchases.map((each, place) => ({ path: "/orders", body: plain(each.body), title: t("jobs.bid", { place: place + 1, whole: plan.purchases.length }) }))]
    : (plan.redemptions ?? []).map((each) => ({ path: each.path, body: plain(each.body), title: t("redeem.do") }));
  return actAll(steps, (place) => told(t("act.step", { step: place + 1, steps: steps.length, title: steps[place].title })), false);
}
