// Who acts here: a wallet of the reader's, an account kept by this ledger (an API key), or a throw-away key of this
// browser. All three do the same things; only who signs differs.
import { seen } from "/web/clock.js";
import { facts, get, post } from "/web/http.js";
import { keep, recalled, t } from "/web/i18n.js";

const KEPT = "identity";
let current = null;

/** {kind: "wallet" | "key" | "local", address, name?, key?, secret?, wallet?}, or null. */
export const identity = () => current;
export const apiKey = () => current?.key ?? null;
export const address = () => current?.address ?? null;

export function become(next) {
  current = next;
  const { provider: _, ...plain } = next ?? {};
  keep(KEPT, next ? JSON.stringify(plain) : null);
  dispatchEvent(new Event("identity"));
}

/** Takes up who one was when the page was last open. A wallet is asked again, quietly. */
export async function startSession() {
  const text = recalled(KEPT);
  if (!text) return;
  current = JSON.parse(text);
  if (current.kind === "wallet") {
    // One that does not answer now is asked again when something is to be signed.
    const { reconnect } = await import("/web/wallets.js");
    current = await reconnect(current).catch(() => current);
  }
}

/** What signs for the current identity. */
async function signer() {
  if (!current) throw new Error("nobody");
  if (current.kind === "wallet") return import("/web/wallets.js");
  if (current.kind === "local") return import("/web/localkey.js");
  return null;
}

/** Whose the orders are that are only looked at, before anyone has said who they are. */
const NOBODY = "0x000000000000000000000000000000000000dEaD";

const WITH_OWNER = (body) => ({ ...body, owner: current.address });

/** What an act would cost and what would refuse it. */
export async function preview(path, body) {
  const answer = await post(`${path}/preview`, { ...body, owner: current?.address ?? NOBODY }, { key: apiKey() });
  return answer.data ?? answer;
}

/**
 * Does one act: gives back the id under which /transactions knows it. `gasless` orders are signed, not sent: whoever
 * holds the key needs no gas for them.
 */
export async function act(path, body, { gasless = false, once = crypto.randomUUID() } = {}) {
  const hands = await signer();
  if (!hands) return idOf(await post(path, body, { key: apiKey(), once }));
  if (gasless && path === "/orders") {
    const asked = await post("/orders/typed-data", WITH_OWNER(body));
    const { typed_data, order } = asked.data ?? asked;
    const signature = await hands.signTyped(current, typed_data);
    return idOf(await post("/transactions", { order, signature }, { once }));
  }
  const built = await post(`${path}/build`, WITH_OWNER(body));
  return idOf(await hands.send(current, (built.data ?? built).transaction, once));
}

/**
 * Several acts as one where the wallet can (EIP-5792), else one after the other; `told(n)` before each. Acts of which a
 * later one cannot be built before an earlier one stands are never done `together`.
 */
export async function actAll(steps, told = () => {}, together = true) {
  if (together && current?.kind === "wallet" && steps.length > 1) {
    const { canBatch, sendTogether } = await import("/web/wallets.js");
    if (await canBatch(current)) return settled(await sendTogether(current, await callsOf(steps)));
  }
  let last = null;
  for (const [place, { path, body, gasless }] of steps.entries()) {
    told(place);
    last = await settled(await act(path, body, { gasless }));
  }
  return last;
}

/** The steps' calls. One that only an earlier step makes possible says itself what it calls. */
async function callsOf(steps) {
  const calls = [];
  for (const { path, body, call } of steps) {
    const { to, data, value } = call ? await call() : (await post(`${path}/build`, WITH_OWNER(body))).transaction;
    calls.push({ to, data, value: value ?? "0x0" });
  }
  return calls;
}

/** Typed data with the signature of who acts here: a wallet's or the throw-away key's. */
export const signTyped = async (typed) => (await signer()).signTyped(current, typed);

/** Sessions by address: what is private is shown to who signed in. */
const sessions = new Map();

/** What proves who one is: the API key, or a session for which the wallet signs a text once (EIP-4361). */
export async function bearer() {
  if (!current || current.key) return apiKey();
  const open = sessions.get(current.address);
  if (open && open.expires_s * 1000 > Date.now()) return open.token;
  const { message } = facts(await get(`/login/nonce?address=${current.address}`));
  const signature = await (await signer()).signText(current, message);
  const session = facts(await post("/login", { message, signature }));
  sessions.set(current.address, session);
  return session.token;
}

/** Whether asking for what is private opens no window of a wallet. */
export const isSignedIn = () => Boolean(current && (current.key || current.kind === "local" || sessions.has(current.address)));

const idOf = (answer) => {
  if (typeof answer === "string") return answer;
  const said = answer.data ?? answer;
  return String(said.id ?? said.intent ?? said.transaction);
};

const BAD = new Set(["reverted", "cancelled", "consumed", "skipped", "expired"]);
const ENDS = new Set(["included", "safe", "final", "placed", ...BAD]);

/** Waits until an act stands in a block, or until it is sure that it never will: then raises its reason. */
export async function settled(id, wait_ms = 120_000) {
  const until = Date.now() + wait_ms;
  for (let pause = 150; Date.now() < until; pause = Math.min(1000, pause * 1.4)) {
    const found = await lookUp(id);
    if (found && BAD.has(found.state)) throw reasonOf(found);
    if (found && ENDS.has(found.state)) {
      if (found.block) await seen(found.block);
      return found;
    }
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
  const late = new Error(t("act.late", { id }));
  late.remedy = t("act.lateRemedy");
  throw late;
}

async function lookUp(id) {
  try {
    const answer = await get(`/transactions/${encodeURIComponent(id)}`, { key: apiKey() });
    return facts(answer);
  } catch (problem) {
    // A hash may reach this API a moment after the wallet got it.
    if (problem.status === 404) return null;
    throw problem;
  }
}

/** "Exchange refused: TooFewUnits(units=1 unit, unitsMin=10 units). Order at least 10 units." */
const REASON = /^(\w+) refused: (\w+)\((.*?)\)\. (.*)$/s;

function reasonOf(found) {
  // Problem and remedy are two sentences; a text alone says both.
  const error = new Error(found.reason ?? t("act.reverted"));
  error.remedy = t("act.nothingChanged");
  const [, contract, name, values, remedy] = REASON.exec(found.reason ?? "") ?? [];
  if (!contract) return error;
  const shown = Object.fromEntries(values.split(", ").map((each) => each.split("=")));
  error.refusal = { contract_error: contract === "OpenZeppelin" ? name : `${contract}_${name}`, detail: found.reason.slice(0, -remedy.length - 1), remedy, shown };
  return error;
}
