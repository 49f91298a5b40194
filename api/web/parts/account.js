// Who one is here: a dialog with the three ways to act, and what the current one is.
import { h, put } from "/web/dom.js";
import { facts, get, post } from "/web/http.js";
import { t } from "/web/i18n.js";
import { market } from "/web/market.js";
import { follow, nothing } from "/web/parts/notice.js";
import { accountInput, copyButton, field } from "/web/parts/fields.js";
import { openSheet } from "/web/parts/sheet.js";
import { act, become, identity, settled } from "/web/session.js";

const FAUCET = "100000 USD";

/** Opens the dialog; resolves with the identity once it is closed. */
export function openAccount() {
  return new Promise((resolve) => {
    const body = h("div", { class: "stack" });
    const dialog = openSheet(t("account.title"), body, () => resolve(identity()));
    identity() ? showCurrent(body, dialog) : showChoices(body, dialog);
  });
}

/** The identity, asked for where there is none yet. */
export const whoever = async () => identity() ?? (await openAccount());

function showCurrent(body, dialog) {
  const who = identity();
  const leave = () => {
    become(null);
    showChoices(body, dialog);
  };
  put(
    body,
    h("p", {}, h("i", { class: `kind ${who.kind}` }), h("strong", {}, t(`account.kind.${who.kind}`))),
    h("p", { class: "mono wrap" }, who.address, " ", copyButton(who.address)),
    who.kind === "local" ? h("p", { class: "warn" }, t("account.localWarning")) : null,
    who.key ? h("details", {}, h("summary", {}, t("account.showKey")), h("p", { class: "mono wrap" }, who.key, " ", copyButton(who.key))) : null,
    h(
      "div",
      { class: "row" },
      market().faucet ? h("button", { onclick: (event) => fund(event.currentTarget) }, t("account.faucet")) : null,
      h("button", { onclick: leave }, t("account.leave")),
    ),
  );
}

/** Test money for the current identity, where the market's money is for trying. */
export function fund(button = null) {
  return follow(button, t("account.faucet"), async () => settled(await faucet()));
}

/** The same for an order: an account kept here pays from its cash, whoever holds a key approves what the order takes. */
export function fundOrder(button) {
  return follow(button, t("account.faucet"), async (told) => {
    const poured = await settled(await faucet());
    if (identity().kind !== "key") return poured;
    told(`${t("account.deposit")} …`);
    return settled(await act("/accounts/deposit", { amount: FAUCET }));
  });
}

async function faucet() {
  const who = identity();
  // A fresh key has no gas to ask with: the faucet pays for itself.
  const answer = await post("/accounts/faucet", { amount: FAUCET, owner: who.address }, { key: who.key });
  const said = answer.data ?? answer;
  return String(said.intent ?? said.transaction);
}

function showChoices(body, dialog) {
  const wallets = h("div", { class: "choices" });
  const payTo = h("input", accountInput());
  put(
    body,
    h("p", { class: "muted" }, t("account.lead")),
    choice("key", t("account.managed"), t("account.managedText"), (button) => managed(button, dialog, payTo.value.trim())),
    h("details", {}, h("summary", {}, t("account.payTo")), field(t("account.payToAddress"), payTo, t("account.payToHint"))),
    market().faucet ? choice("local", t("account.local"), t("account.localText"), (button) => throwAway(button, dialog)) : null,
    h("h3", {}, t("account.wallets")),
    wallets,
    h("details", {}, h("summary", {}, t("account.haveKey")), haveKey(dialog)),
  );
  listWallets(wallets, dialog);
}

function choice(kind, title, text, onclick) {
  const button = h("button", { class: "choice", onclick: () => onclick(button) }, h("i", { class: `kind ${kind}` }), h("span", {}, h("strong", {}, title), h("small", {}, text)));
  return button;
}

async function listWallets(box, dialog) {
  const { connect, discover } = await import("/web/wallets.js");
  const wallets = await discover();
  if (!wallets.length) put(box, nothing(t("account.noWallet")));
  else {
    put(box, wallets.map((wallet) => choice("wallet", wallet.info?.name ?? "", wallet.info?.rdns ?? "", async (button) => {
      const who = await follow(button, t("account.connect"), () => connect(wallet));
      if (who) finish(who, dialog);
    })));
  }
}

/** An account that the ledger keeps: it signs, the reader holds a key that can be revoked. */
async function managed(button, dialog, payTo) {
  const made = await follow(button, t("account.managed"), async (told) => {
    const { address, key } = facts(await post("/keys", { name: t("account.pageName"), scopes: ["buyer", "provider", "read"], limit_micro_per_day: 10 ** 12, withdraw_to: payTo ? [payTo] : [] }));
    become({ kind: "key", address, key });
    if (!market().faucet) return true;
    told(`${t("account.faucet")} …`);
    await settled(await faucet());
    told(`${t("account.deposit")} …`);
    return settled(await act("/accounts/deposit", { amount: FAUCET }));
  });
  if (made) dialog.close();
}

async function throwAway(button, dialog) {
  const made = await follow(button, t("account.local"), async (told) => {
    const { create } = await import("/web/localkey.js");
    become(await create());
    told(`${t("account.faucet")} …`);
    return settled(await faucet());
  });
  if (made) dialog.close();
}

function haveKey(dialog) {
  const field = h("input", { type: "password", autocomplete: "off", placeholder: "cl_…", "aria-label": t("account.keyLabel") });
  const use = async (event) => {
    event.preventDefault();
    const key = field.value.trim();
    const found = await follow(null, t("account.connect"), async () => facts(await get("/keys", { key })));
    const mine = found?.[0];
    if (mine) finish({ kind: "key", address: mine.address, key }, dialog);
  };
  return h("form", { class: "row", onsubmit: use }, field, h("button", {}, t("account.useKey")));
}

function finish(who, dialog) {
  become(who);
  dialog.close();
}

