// A throw-away key of this browser, for a chain where money is for trying. Never for money that is worth something.
import { post } from "/web/http.js";
import { market } from "/web/market.js";

const ethers = () => import("/packages/ethers.min.js");

/** A new key: {kind, address, secret}. Whoever can read this browser's storage can use it. */
export async function create() {
  const { Wallet } = await ethers();
  const wallet = Wallet.createRandom();
  return { kind: "local", address: wallet.address, secret: wallet.privateKey };
}

async function rpc(method, params) {
  const answer = await post(market().rpc ?? "/rpc", { jsonrpc: "2.0", id: 1, method, params });
  if (answer.error) throw new Error(answer.error.message);
  return answer.result;
}

/** Signs a transaction that the API built and hands it in; gives the API's answer. */
export async function send({ secret, address }, transaction, once) {
  const { Wallet } = await ethers();
  const [nonce, price] = await Promise.all([
    rpc("eth_getTransactionCount", [address, "pending"]),
    transaction.maxFeePerGas ? null : rpc("eth_gasPrice", []),
  ]);
  const fee = transaction.maxFeePerGas ?? `0x${(BigInt(price) * 2n).toString(16)}`;
  const raw = await new Wallet(secret).signTransaction({
    type: 2,
    chainId: market().chain_id,
    to: transaction.to,
    data: transaction.data,
    value: transaction.value ?? 0,
    nonce: Number(transaction.nonce ?? nonce),
    gasLimit: transaction.gas ?? transaction.gasLimit ?? (await rpc("eth_estimateGas", [{ from: address, to: transaction.to, data: transaction.data }])),
    maxFeePerGas: fee,
    maxPriorityFeePerGas: transaction.maxPriorityFeePerGas ?? "0x0",
  });
  return post("/transactions", { raw }, { once });
}

/** Signs typed data. */
export async function signTyped({ secret }, { types, domain, message }) {
  const { Wallet } = await ethers();
  const { EIP712Domain: _, ...own } = types;
  return new Wallet(secret).signTypedData(domain, own, message);
}

/** Signs a text. */
export async function signText({ secret }, text) {
  const { Wallet } = await ethers();
  return new Wallet(secret).signMessage(text);
}
