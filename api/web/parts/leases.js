// Leases as cards: where each stands, what its clock waits for, what was delivered, where the money went.
import { now } from "/web/clock.js";
import { h, svg } from "/web/dom.js";
import { moment, number, percent, units, usd } from "/web/format.js";
import { say, t } from "/web/i18n.js";
import { className, placeName, when } from "/web/names.js";
import { approvalSteps } from "/web/parts/approve.js";
import { field } from "/web/parts/fields.js";
import { follow, nothing } from "/web/parts/notice.js";
import { act, actAll, preview, settled } from "/web/session.js";

/** Cards for `side` "holder" or "provider": each may do other things with a lease. */
export function leaseCards(leases, side, again) {
  if (!leases.length) return nothing(t(side === "holder" ? "lease.none" : "lease.noneToServe"));
  return h("div", { class: "cards" }, leases.map((lease) => card(lease, side, again)));
}

const stateOf = (lease) => String(lease.state).toLowerCase();
/** Whether a lease has ended. */
export const isOver = (lease) => ["resolved", "aborted"].includes(stateOf(lease));

function card(lease, side, again) {
  const { product } = lease;
  return h(
    "article",
    { class: `leasecard ${stateOf(lease)}`, "data-key": lease.lease },
    ring(lease),
    h(
      "div",
      { class: "grow" },
      h("header", { class: "row tight spread" }, h("strong", {}, t("lease.name", { lease: number(lease.lease) })), h("span", { class: "badge" }, say("lease.state", lease.state))),
      h("p", {}, `${units(lease.units)} · ${className(product.class)} · ${placeName(product.area)}`),
      h("p", { class: "muted" }, t("lease.at", { site: number(lease.site), when: when(product) })),
      h("p", { class: "muted" }, waiting(lease)),
      isOver(lease) ? ending(lease) : null,
      actions(lease, side, again),
    ),
  );
}

/** How far the window is, as a ring; full and marked once the lease has ended. */
function ring(lease) {
  const { start_s, end_s } = lease.product;
  const share = Math.max(0, Math.min(1, (now() - start_s) / Math.max(1, end_s - start_s)));
  const round = 2 * Math.PI * 22;
  const delivered = lease.full_milli ? Number(lease.delivered_milli ?? 0) / Number(lease.full_milli) : 0;
  const shown = isOver(lease) ? delivered : share;
  const arc = svg("circle", { cx: 26, cy: 26, r: 22, class: "arc", "stroke-dasharray": `${(shown * round).toFixed(1)} ${round.toFixed(1)}`, transform: "rotate(-90 26 26)" });
  const label = isOver(lease) ? t("lease.ringDelivered", { share: percent(delivered * 10_000) }) : t("lease.ringWindow", { share: percent(share * 10_000) });
  return svg("svg", { viewBox: "0 0 52 52", class: "ring", role: "img", "aria-label": label }, svg("circle", { cx: 26, cy: 26, r: 22, class: "track" }), arc, svg("text", { x: 26, y: 30, class: "middle" }, percent(shown * 10_000, 0)));
}

/** The clock that matters now. */
function waiting(lease) {
  const until = (key, time_s) => [t(key, { time: moment(time_s) }), " ", h("span", { class: "number", "data-until": time_s })];
  const time = now();
  const { start_s, end_s } = lease.product;
  switch (stateOf(lease)) {
    case "active":
    case "open":
      if (time < start_s) return until("lease.startsAt", start_s);
      if (time < end_s) return until("lease.runsTo", end_s);
      return until("lease.reportDue", lease.report_due_s ?? end_s);
    case "reported":
      return lease.dispute_due_s ? until("lease.disputeDue", lease.dispute_due_s) : "";
    case "disputed":
      return lease.ruling_due_s ? until("lease.rulingDue", lease.ruling_due_s) : "";
    default:
      return lease.reason ? say("reason", lease.reason) : "";
  }
}

function ending(lease) {
  return h("p", {}, t("lease.ending", { provider: usd(lease.to_provider_micro ?? 0), holder: usd(lease.to_holder_micro ?? 0) }));
}

function actions(lease, side, again) {
  const button = (key, body = {}) => {
    const work = async (event) => {
      await follow(event.currentTarget, t(`lease.${key}`), async () => settled(await act(`/leases/${lease.lease}/${key}`, body)));
      await again?.();
    };
    return h("button", { onclick: work }, t(`lease.${key}`));
  };
  const state = stateOf(lease);
  const begun = now() >= lease.product.start_s;
  return h(
    "div",
    { class: "stack", "data-key": "acts" },
    begun ? h("div", {}, h("button", { onclick: () => showResult(lease.lease) }, t("lease.result"))) : null,
    side === "holder" && state === "reported" ? [h("div", {}, button("accept")), disputeForm(lease, again)] : null,
    side === "provider" && begun && ["active", "open"].includes(state) ? reportForm(lease, again) : null,
  );
}

const showResult = async (lease) => (await import("/web/parts/result.js")).openResult(lease);

/** The holder says what is wrong, and lays down a deposit that comes back to who was right. */
function disputeForm(lease, again) {
  const why = h("input", { type: "text", required: true, maxlength: "2000", autocomplete: "off", placeholder: t("lease.evidenceExample") });
  const button = h("button", {}, t("lease.dispute"));
  const submit = async (event) => {
    event.preventDefault();
    const done = await follow(button, t("lease.dispute"), async () => {
      const [path, body] = [`/leases/${lease.lease}/dispute`, { evidence: why.value.trim() }];
      const { costs } = await preview(path, body);
      return actAll([...(await approvalSteps(costs?.total_micro ?? costs?.deposit_micro)), { path, body }], () => {}, false);
    });
    if (done) await again?.();
  };
  return h("details", { "data-key": "dispute" }, h("summary", {}, t("lease.disagree")), h("form", { class: "row inline", onsubmit: submit }, field(t("lease.evidence"), why, t("lease.evidenceHint")), button));
}

/** The provider says what it delivered, as a share of what it owed over the window. */
function reportForm(lease, again) {
  const share = h("input", { type: "number", min: "0", max: "100", step: "any", value: "100", inputmode: "decimal" });
  const button = h("button", {}, t("lease.report"));
  const submit = async (event) => {
    event.preventDefault();
    await follow(button, t("lease.report"), async () => settled(await act(`/leases/${lease.lease}/report`, { delivered: `${share.value} %` })));
    await again?.();
  };
  return h("form", { class: "row inline", "data-key": "report", onsubmit: submit }, field(t("lease.delivered"), share), button);
}
