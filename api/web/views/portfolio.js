// What one has: money, units, orders, leases with their clocks, and every line of the account.
import { again } from "/web/again.js";
import { h } from "/web/dom.js";
import { renew } from "/web/renew.js";
import { dollars, moment, momentBoth, number, short, units, usd } from "/web/format.js";
import { facts, get } from "/web/http.js";
import { say, sentence, t } from "/web/i18n.js";
import { market } from "/web/market.js";
import { productLink, productOf } from "/web/names.js";
import { fund, openAccount } from "/web/parts/account.js";
import { accountInput, field, section, table, tile } from "/web/parts/fields.js";
import { isOver, leaseCards } from "/web/parts/leases.js";
import { follow, nothing } from "/web/parts/notice.js";
import { orderRows, productCell } from "/web/parts/orders.js";
import { redeemButton } from "/web/parts/redeem.js";
import { act, actAll, address, apiKey, bearer, identity, isSignedIn, settled } from "/web/session.js";

const PAUSE_MS = 400;
const WANTS_PAUSE_MS = 5_000;
const DISPATCHES = 5;

export async function open() {
  if (!identity()) return { node: welcome(), title: t("nav.portfolio"), personal: true };
  const boxes = { money: h("div", { class: "tiles" }), units: h("div"), orders: h("div"), leases: h("div"), lines: h("div"), wants: h("div") };
  let open = false;
  // All drawing goes one after the other: a slow answer of before must not take the place of what is.
  const redraw = again(async () => (open = await drawAll(boxes, redraw.now)), PAUSE_MS);
  open = await drawAll(boxes, redraw.now);
  const wants = again(() => drawWants(boxes.wants), WANTS_PAUSE_MS);
  wants.now();
  const node = h(
    "div",
    { class: "page" },
    h("header", { class: "title" }, h("h1", {}, t("portfolio.title")), h("p", { class: "mono muted wrap" }, address())),
    boxes.money,
    h("div", { class: "row" }, moneyForms(redraw.now)),
    section(t("portfolio.units"), boxes.units, null, { class: "card" }),
    section(t("portfolio.orders"), boxes.orders, null, { class: "card" }),
    boxes.wants,
    section(t("portfolio.leases"), boxes.leases, null, { class: "card" }),
    section(t("portfolio.statement"), boxes.lines, h("a", { class: "button", href: `/accounts/${address()}/statement.csv`, download: "" }, t("portfolio.csv")), { class: "card" }),
  );
  const mine = address().toLowerCase();
  const update = (kind, event) => {
    // What a provider says of a lease names the provider: who has a lease that runs looks at each block.
    if (open || kind === "reorg" || !event.accounts || event.accounts.some((each) => each.toLowerCase() === mine)) {
      redraw();
      wants();
    }
  };
  return { node, title: t("portfolio.title"), update, personal: true, close: () => [redraw.stop(), wants.stop()] };
}

function welcome() {
  return h("div", { class: "page narrow" }, h("h1", {}, t("portfolio.title")), h("p", { class: "lead" }, t("portfolio.welcome")), h("button", { class: "primary", onclick: openAccount }, t("account.connect")));
}

/** Draws everything; says whether a lease has not ended. `redraw()` has it drawn again. */
async function drawAll(boxes, redraw) {
  const path = `/accounts/${address()}`;
  const [account, statement, leases, recent] = await Promise.all([get(path, { key: apiKey() }), get(`${path}/statement`, { key: apiKey() }), get(`/leases?holder=${address()}`), get(`/orders?owner=${address()}&limit=12`)]);
  const { data } = account;
  renew(boxes.money, tiles(data, leases.data));
  renew(boxes.units, holdings(data.holdings ?? [], redraw));
  renew(boxes.orders, orderRows(recent.data.slice(0, 12)));
  renew(boxes.leases, leaseCards(leases.data, "holder", redraw));
  renew(boxes.lines, lines(statement.data));
  return leases.data.some((lease) => !isOver(lease));
}

/** What one's dispatches have not got yet. Whoever would have to sign for it is not asked. */
async function drawWants(box) {
  if (!isSignedIn()) return;
  const key = await bearer();
  const going = facts(await get("/dispatch?limit=50", { key })).filter((row) => !row.ended).slice(0, DISPATCHES);
  const states = await Promise.all(going.map((row) => get(`/dispatch/${row.id}`, { key })));
  const rows = states.map(facts).flatMap((state) => state.jobs.map((job) => ({ ...job, state })).filter((job) => job.remaining + job.bidding > 0));
  renew(box, rows.length ? section(t("portfolio.wants"), wanted(rows), h("a", { class: "button", href: "#/jobs" }, t("nav.jobs")), { class: "card" }) : null);
}

const wanted = (rows) =>
  table(
    t("portfolio.wants"),
    [
      [t("portfolio.job"), ({ name, state }) => h("span", {}, h("strong", {}, name), h("small", {}, t("portfolio.dispatch", { number: number(state.id) })))],
      [t("portfolio.wants"), (job) => h("span", {}, t("unit.unitHours", { count: number(job.remaining + job.bidding) }), h("small", {}, t("portfolio.wantsOf", { count: number(job.wanted) }))), "right"],
      [t("portfolio.inBids"), (job) => t("unit.unitHours", { count: number(job.bidding) }), "right"],
      [t("portfolio.why"), ({ state }) => sentence(state.note), "right"],
    ],
    rows,
    { key: (job) => `${job.state.id} ${job.job}` },
  );

function tiles(account, leases) {
  const escrow = (account.orders ?? []).reduce((sum, each) => sum + escrowOf(each), 0n);
  const refunds = leases.reduce((sum, each) => sum + BigInt(each.to_holder_micro ?? 0), 0n);
  const held = (account.holdings ?? []).reduce((sum, each) => sum + each.units * each.hours, 0);
  return [
    tile(t("portfolio.cash"), usd(account.cash_micro), t("portfolio.cashBelow")),
    tile(t("portfolio.escrow"), usd(escrow), t("board.orders", { count: number((account.orders ?? []).length) })),
    tile(t("portfolio.wallet"), usd(account.wallet_micro), t("portfolio.walletBelow")),
    tile(t("portfolio.held"), t("unit.unitHours", { count: number(held) }), t("portfolio.heldBelow", { count: number((account.holdings ?? []).length) })),
    tile(t("portfolio.refunds"), usd(refunds), t("portfolio.refundsBelow")),
  ];
}

/** What a bid holds of its owner's money until it settles. */
const escrowOf = (order) => (order.kind === "bid" && !order.settled ? BigInt(order.units) * BigInt(productOf(order.product).hours) * BigInt(order.price.price_micro) : 0n);

function moneyForms(draw) {
  const form = (name, work, more = null) => {
    const amount = h("input", { type: "number", min: "0", step: "any", inputmode: "decimal", value: "1000" });
    const button = h("button", {}, t(`money.${name}`));
    const submit = async (event) => {
      event.preventDefault();
      const micro = String(Math.round(Number(amount.value) * 1e6));
      await follow(button, t(`money.${name}`), (told) => work(micro, told));
      await draw();
    };
    return h("form", { class: "row inline", onsubmit: submit }, field(t("money.amount"), amount), more, button);
  };
  const text = (micro) => `${Number(micro) / 1e6} USD`;
  const deposit = async (micro, told) => {
    const steps = [{ path: "/accounts/deposit", body: { amount: text(micro) }, title: t("money.deposit") }];
    if (identity().kind !== "key") {
      const { data } = await get(`/accounts/${address()}`);
      if (BigInt(data.allowance_micro ?? 0) < BigInt(micro)) steps.unshift({ path: "/accounts/approve", body: { amount: text(micro) }, title: t("account.approve") });
    }
    return actAll(steps, (place) => told(t("act.step", { step: place + 1, steps: steps.length, title: steps[place].title })));
  };
  const to = h("input", { ...accountInput(), value: address(), required: true, list: "pay-to" });
  const known = h("datalist", { id: "pay-to" });
  if (identity().kind === "key") payTo(to, known).catch(() => null);
  const withdraw = async (micro) => settled(await act("/accounts/withdraw", { amount: text(micro), to: to.value.trim() }));
  const faucet = async (event) => {
    await fund(event.currentTarget);
    await draw();
  };
  return h(
    "details",
    { class: "money" },
    h("summary", {}, t("money.title")),
    h("div", { class: "row" }, form("deposit", deposit), form("withdraw", withdraw, [field(t("money.to"), to), known]), market().faucet ? h("button", { onclick: faucet }, t("account.faucet")) : null),
  );
}

/** The addresses that a key may pay out to; the first of them stands in the field. */
async function payTo(to, known) {
  const keys = facts(await get("/keys", { key: apiKey() }));
  const addresses = [...new Set(keys.flatMap((each) => (each.revoked_s === null ? each.withdraw_to : [])))];
  if (addresses.length) to.value = addresses[0];
  known.append(...addresses.map((each) => h("option", { value: each })));
}

function holdings(rows, redraw) {
  if (!rows.length) return nothing(t("portfolio.noUnits"), h("a", { href: "#/" }, t("portfolio.buy")));
  return table(
    t("portfolio.units"),
    [
      [t("col.product"), productCell],
      [t("col.units"), (row) => h("span", { class: "number" }, units(row.units)), "right"],
      [t("col.starts"), (row) => h("span", { class: "number", "data-until": row.start_s, title: momentBoth(row.start_s) }, ""), "right"],
      ["", (row) => h("span", { class: "row tight end" }, redeemButton(row, redraw), h("a", { class: "button", href: productLink(row, `?side=sell&units=${row.units}`) }, t("ticket.sell"))), "right"],
    ],
    rows,
    { key: (row) => row.product },
  );
}

/** Every line of the account, with what it was before and after. */
function lines(rows) {
  if (!rows.length) return nothing(t("portfolio.noLines"));
  const amount = (row, value) => (row.asset === "cash" ? t("unit.usd", { amount: dollars(value) }) : units(Number(value)));
  const minus = (row) => String(row.change).startsWith("-");
  return table(
    t("portfolio.statement"),
    [
      [t("col.time"), (row) => h("span", { title: momentBoth(row.time_s) }, moment(row.time_s))],
      [t("col.what"), (row) => say("what", row.what)],
      [t("col.asset"), (row) => (row.asset === "cash" ? say("what", "cash") : productCell(productOf(row.asset)))],
      [t("col.changeBy"), (row) => h("span", { class: `number ${minus(row) ? "minus" : "plus"}` }, `${minus(row) ? "" : "+"}${amount(row, row.change)}`), "right"],
      [t("col.after"), (row) => amount(row, row.after), "right"],
      [t("col.proof"), (row) => h("span", { class: "mono", title: row.transaction }, short(row.transaction)), "right"],
    ],
    rows,
    { key: (row) => `${row.transaction} ${row.log_index} ${row.asset} ${row.what}` },
  );
}
