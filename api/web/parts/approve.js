// Money that an act needs beyond one's free cash: the treasury may take it from the wallet once that is approved.
import { get } from "/web/http.js";
import { t } from "/web/i18n.js";
import { address, apiKey, identity } from "/web/session.js";

/** An amount as the API reads it, nothing rounded. */
const exactUsd = (micro) => `${micro / 1_000_000n}.${String(micro % 1_000_000n).padStart(6, "0")} USD`;

const own = async () => (await get(`/accounts/${address()}`, { key: apiKey() })).data;

/** Whether cash and wallet together reach for so many micro-dollars: an approval, asked for with the act, does the rest. */
export async function withinReach(needMicro) {
  if (!identity() || identity().kind === "key") return false;
  const account = await own();
  return BigInt(account.cash_micro ?? 0) + BigInt(account.wallet_micro ?? 0) >= BigInt(needMicro ?? 0);
}

/** The step before an act that needs so many micro-dollars, where one is needed at all. */
export async function approvalSteps(needMicro) {
  const need = BigInt(needMicro ?? 0);
  if (identity().kind === "key" || need <= 0n) return [];
  const account = await own();
  const short = need - BigInt(account.cash_micro ?? 0);
  if (short <= BigInt(account.allowance_micro ?? 0)) return [];
  return [{ path: "/accounts/approve", body: { amount: exactUsd(short) }, title: t("account.approve") }];
}
