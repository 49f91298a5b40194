// For those who would rather check than believe: any clearing computed again here, an account's lines, a whole audit.
import { h, put } from "/web/dom.js";
import { momentBoth, moment, number, short, usd } from "/web/format.js";
import { facts, get, post, query } from "/web/http.js";
import { say, sentence, t } from "/web/i18n.js";
import { accountInput, copyButton, field, section, select, table } from "/web/parts/fields.js";
import { follow, nothing, problemBox } from "/web/parts/notice.js";
import { recomputation } from "/web/parts/recompute.js";
import { codeOf, gradeName, productLink, productName, productOf, tierName } from "/web/names.js";
import { apiKey } from "/web/session.js";

export async function open([code, round]) {
  const clearing = h("div", { class: "stack" });
  const state = { alive: true };
  const node = h(
    "div",
    { class: "page" },
    h("header", { class: "title" }, h("h1", {}, t("audit.title")), h("p", { class: "lead" }, t("audit.lead"))),
    section(t("audit.clearing"), h("div", { class: "stack" }, await chooser(code, round, clearing), clearing), null, { class: "card" }),
    section(t("audit.whole"), auditBox(state), null, { class: "card" }),
    section(t("audit.account"), accountBox(), null, { class: "card" }),
    section(t("audit.history"), historyBox(), null, { class: "card" }),
  );
  if (code && round) check(clearing, code, round);
  return { node, title: t("audit.title"), close: () => (state.alive = false) };
}

/** Which clearing: a product that traded, and one of its rounds. */
async function chooser(code, round, box) {
  const products = (await get("/products?limit=200")).data.filter((each) => each.last);
  if (!products.length) return nothing(t("audit.noClearing"));
  const rounds = select([], "", null, { id: "audit-round" });
  const name = (each) => `${productName(each)} · ${tierName(each.tier)} · ${gradeName(each.grade)}`;
  const fillRounds = async (product, wanted) => {
    const { data } = await get(`/products/${encodeURIComponent(product)}/clearings`);
    put(rounds, data.map((each) => h("option", { value: String(each.round), selected: String(each.round) === String(wanted) }, t("audit.roundOption", { round: number(each.round), time: moment(each.time_s), units: number(each.units) }))));
  };
  const which = select(products.map((each) => [each.product, name(each)]), code ?? products[0].product, (value) => fillRounds(value));
  await fillRounds(which.value, round);
  const go = (event) => {
    event.preventDefault();
    history.replaceState(null, "", `#/audit/${encodeURIComponent(which.value)}/${rounds.value}`);
    check(box, which.value, rounds.value);
  };
  return h("form", { class: "row inline", onsubmit: go }, field(t("col.product"), which), field(t("col.round"), rounds), h("button", { class: "primary" }, t("audit.check")));
}

async function check(box, code, round) {
  put(box, h("p", { class: "muted" }, t("audit.computing")));
  try {
    const answer = await get(`/audit/clearings/${encodeURIComponent(code)}/${encodeURIComponent(round)}`);
    put(box, recomputation(answer, code, Number(round)));
  } catch (error) {
    put(box, problemBox(error));
  }
}

/** The whole history, replayed by the server; this page only shows how far it is and what it found. */
function auditBox(state) {
  const report = h("div", { class: "stack", "aria-live": "polite" });
  const button = h("button", { class: "primary" }, t("audit.run"));
  const show = async () => {
    const data = facts(await get("/audit"));
    put(report, auditReport(data));
    return data;
  };
  const watch = async () => {
    let data = await show();
    while (state.alive && data.state === "running") {
      await new Promise((resolve) => setTimeout(resolve, 400));
      data = await show();
    }
  };
  button.addEventListener("click", () => follow(button, t("audit.run"), async () => {
    await post("/audit", {}, { key: apiKey() });
    await watch();
  }));
  watch().catch((error) => put(report, problemBox(error)));
  return h("div", { class: "stack" }, h("p", { class: "muted" }, t("audit.wholeLead")), h("div", {}, button), report);
}

function auditReport(data) {
  if (data.state === "none") return nothing(t("audit.never"));
  const progress = typeof data.progress === "object" && data.progress ? data.progress.done / Math.max(1, data.progress.whole) : 0;
  if (data.state === "running") return [h("progress", { value: String(progress), max: "1", "aria-label": t("audit.progress") }), h("p", { class: "muted" }, t("audit.running"), " ", data.progress?.step ?? "")];
  if (data.state === "failed") return h("div", { class: "problem", role: "alert" }, h("strong", {}, t("audit.failed")), h("p", {}, data.why ?? t("problem.tryAgain")));
  const clean = data.state === "clean";
  return [
    h("p", { class: `verdict ${clean ? "good" : "bad"}` }, h("span", { class: "seal", "aria-hidden": "true" }, clean ? "✓" : "!"), h("span", {}, h("strong", {}, t(clean ? "audit.clean" : "audit.faults")), h("small", {}, t("audit.when", { block: number(data.block ?? 0), ms: number(data.took_ms ?? 0) })))),
    h("ul", { class: "checks" }, (data.checks ?? []).map((each) => h("li", { class: each.findings ? "bad" : "good" }, h("span", { class: "mono" }, each.id), h("span", {}, sentence(each.what)), h("span", { class: "number" }, each.findings ? t("audit.findings", { count: number(each.findings) }) : "✓")))),
    data.findings?.length ? h("ul", { class: "plainlist" }, data.findings.slice(0, 50).map(finding)) : null,
    data.proof ? h("p", { class: "fine mono wrap" }, t("audit.repeat", { command: data.proof }), " ", copyButton(data.proof)) : null,
    data.root ? h("p", { class: "fine mono wrap" }, t("audit.root", { root: data.root })) : null,
  ];
}

const finding = (each) =>
  h("li", { class: "wrap" }, h("strong", {}, `${each.rule} `), t("audit.finding", { where: each.where ?? "", block: number(each.block ?? 0), expected: String(each.expected ?? ""), actual: String(each.actual ?? "") }));

function accountBox() {
  const who = h("input", { ...accountInput(), required: true });
  const box = h("div");
  const ask = async (event) => {
    event.preventDefault();
    try {
      const { data } = await get(`/accounts/${encodeURIComponent(who.value.trim())}/statement`);
      put(box, data.length ? lines(data) : nothing(t("portfolio.noLines")));
    } catch (error) {
      put(box, problemBox(error));
    }
  };
  return h("div", { class: "stack" }, h("form", { class: "row inline", onsubmit: ask }, field(t("audit.address"), who), h("button", {}, t("audit.show"))), box);
}

const lines = (rows) =>
  table(
    t("audit.account"),
    [
      [t("col.time"), (row) => h("span", { title: momentBoth(row.time_s) }, moment(row.time_s))],
      [t("col.what"), (row) => say("what", row.what)],
      [t("col.asset"), (row) => (row.asset === "cash" ? say("what", "cash") : h("span", { class: "mono" }, row.asset))],
      [t("col.before"), (row) => h("span", { class: "number" }, row.before), "right"],
      [t("col.changeBy"), (row) => h("span", { class: "number" }, row.change), "right"],
      [t("col.after"), (row) => h("span", { class: "number" }, row.after), "right"],
      [t("col.proof"), (row) => h("span", { class: "mono", title: row.transaction }, short(row.transaction)), "right"],
    ],
    rows,
  );

/** Every event as the chain has it, newest first. */
function historyBox() {
  const box = h("div");
  const state = { contract: "", cursor: null };
  const ask = async () => {
    try {
      const answer = await get(`/history${query({ contract: state.contract, cursor: state.cursor, limit: 25 })}`);
      const more = () => {
        state.cursor = answer.next;
        ask();
      };
      put(box, answer.data.length ? events(answer.data) : nothing(t("audit.noEvents")), answer.next ? h("button", { onclick: more }, t("audit.older")) : null);
    } catch (error) {
      put(box, problemBox(error));
    }
  };
  const turn = (value) => {
    state.contract = value;
    state.cursor = null;
    ask();
  };
  ask();
  const contracts = ["Exchange", "Treasury", "Capacity", "Delivery", "Standard"];
  return h("div", { class: "stack" }, select([["", t("filter.all")], ...contracts.map((each) => [each, each])], "", turn, { "aria-label": t("audit.contract") }), box);
}

const events = (rows) =>
  table(
    t("audit.history"),
    [
      [t("col.time"), (row) => h("span", { title: momentBoth(row.time_s) }, moment(row.time_s))],
      [t("col.block"), (row) => number(row.block), "right"],
      [t("col.event"), (row) => h("span", {}, h("strong", {}, row.event), h("small", {}, row.contract))],
      [t("col.values"), (row) => h("span", { class: "mono fine wrap values" }, Object.entries(row.values ?? {}).map(([name, value], place) => [place ? " · " : "", `${name} `, said(row, name, value)]))],
    ],
    rows,
  );

const MONEY = /Micro$|^(?:cash|escrow|margin|bond|amount)$|Returned$/;

/** A value of an event as people read it: a product by its name, money in dollars, what is long in short. */
function said(row, name, value) {
  if (name === "product" || (name === "id" && row.event.startsWith("Transfer"))) {
    const code = codeOf(value);
    return code ? h("a", { href: productLink({ product: code }), title: code }, productName(productOf(code))) : String(value);
  }
  if (MONEY.test(name) && /^\d+$/.test(String(value))) return h("span", { title: String(value) }, usd(value, 6));
  return typeof value === "object" ? JSON.stringify(value) : short(String(value), 18, 6);
}
