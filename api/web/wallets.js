// The reader's own wallet: found by EIP-6963, asked by EIP-1193; whichever it is, nothing here knows its name.
import { t } from "/web/i18n.js";
import { market } from "/web/market.js";

/** Wallets that announce themselves, by their reverse domain name: {info, provider}. */
const found = new Map();
addEventListener("eip6963:announceProvider", ({ detail }) => {
  if (detail?.provider?.request) found.set(detail.info?.rdns ?? detail.info?.uuid ?? "wallet", detail);
});

/** The wallets in this browser, the old `window.ethereum` too where it is the only one. */
export async function discover() {
  dispatchEvent(new Event("eip6963:requestProvider"));
  await new Promise((resolve) => setTimeout(resolve, 50));
  if (!found.size && window.ethereum?.request) {
    found.set("injected", { info: { name: t("wallet.injected"), rdns: "injected" }, provider: window.ethereum });
  }
  return [...found.values()];
}

/** Connects one wallet to this market's chain. */
export async function connect({ info, provider }) {
  const [account] = await provider.request({ method: "eth_requestAccounts" });
  await useChain(provider);
  provider.on?.("accountsChanged", () => location.reload());
  return { kind: "wallet", address: account, rdns: info?.rdns ?? "injected", name: null, provider };
}

/** The wallet of last time, without a window opening; one that is locked or gone is asked when it is to sign. */
export async function reconnect(known) {
  const wallets = await discover();
  return { ...known, provider: wallets.find(({ info }) => info?.rdns === known.rdns)?.provider ?? null };
}

/** The provider of who acts, with the account open: asks for it where the wallet is locked or has refused before. */
async function awake(who) {
  who.provider ??= (await reconnect(who)).provider;
  if (!who.provider) throw new Error(t("wallet.gone"));
  const has = (accounts) => accounts.some((each) => each.toLowerCase() === who.address.toLowerCase());
  if (!has(await who.provider.request({ method: "eth_accounts" })) && !has(await who.provider.request({ method: "eth_requestAccounts" }))) throw new Error(t("wallet.other", { address: who.address }));
  await useChain(who.provider);
  return who.provider;
}

const chainHex = () => `0x${Number(market().chain_id).toString(16)}`;

/** Switches the wallet to the market's chain, which it may have to be told of first. */
async function useChain(provider) {
  const chainId = chainHex();
  if ((await provider.request({ method: "eth_chainId" })) === chainId) return;
  try {
    await provider.request({ method: "wallet_switchEthereumChain", params: [{ chainId }] });
  } catch (error) {
    if (error?.code !== 4902 && error?.data?.originalError?.code !== 4902) throw error;
    const chain = {
      chainId,
      chainName: market().chain_name ?? "Compute Ledger",
      rpcUrls: [new URL(market().rpc ?? "/rpc", location.href).href],
      nativeCurrency: { name: "Ether", symbol: "ETH", decimals: 18 },
    };
    await provider.request({ method: "wallet_addEthereumChain", params: [chain] });
  }
}

const HEX_FIELDS = ["to", "data", "value", "gas", "maxFeePerGas", "maxPriorityFeePerGas"];

/** Sends a transaction that the API built; gives its hash. Nonce and chain are the wallet's own to say. */
export async function send(who, transaction) {
  const { address } = who;
  const provider = await awake(who);
  const asked = { from: address };
  for (const name of HEX_FIELDS) if (transaction[name] !== undefined) asked[name] = hex(transaction[name]);
  return provider.request({ method: "eth_sendTransaction", params: [asked] });
}

const hex = (value) => (typeof value === "number" ? `0x${value.toString(16)}` : value);

/** Signs typed data, which the wallet shows field by field. */
export async function signTyped(who, typedData) {
  const { address } = who;
  const provider = await awake(who);
  return provider.request({ method: "eth_signTypedData_v4", params: [address, JSON.stringify(typedData)] });
}

/** Signs a text, which the wallet shows as it is. */
export async function signText(who, text) {
  const { address } = who;
  const provider = await awake(who);
  const hex = `0x${[...new TextEncoder().encode(text)].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;
  return provider.request({ method: "personal_sign", params: [hex, address] });
}

/** Whether the wallet can do several calls at once or not at all (EIP-5792). */
export async function canBatch(who) {
  const { address } = who;
  const provider = await awake(who);
  try {
    const able = await provider.request({ method: "wallet_getCapabilities", params: [address, [chainHex()]] });
    return ["supported", "ready"].includes(able?.[chainHex()]?.atomic?.status);
  } catch {
    return false;
  }
}

/** All calls in one prompt; gives the hash of the transaction that did them. */
export async function sendTogether({ provider, address }, calls) {
  const asked = { version: "2.0.0", from: address, chainId: chainHex(), atomicRequired: true, calls };
  const { id } = await provider.request({ method: "wallet_sendCalls", params: [asked] });
  for (let tries = 0; tries < 240; tries += 1) {
    const { status, receipts } = await provider.request({ method: "wallet_getCallsStatus", params: [id] });
    if (status >= 400) throw new Error(t("act.reverted"));
    if (status >= 200) return receipts.at(-1).transactionHash;
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  throw new Error(t("act.late", { id }));
}
