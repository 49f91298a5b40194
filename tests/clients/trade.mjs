// A stranger with a wallet library (viem) and the address of an API, and not a line of ours: finds the contracts, gets
// money, bids by a signature and by a transaction, computes the round's price again from its orders, uses the units,
// and leaves with the rest. Says what it found as one line of JSON.
//
//   node tests/clients/trade.mjs http://127.0.0.1:8000

import assert from "node:assert/strict";
import {
  createPublicClient,
  createWalletClient,
  defineChain,
  getAddress,
  hashTypedData,
  http,
  keccak256,
  maxUint256,
  parseEventLogs,
  toHex,
} from "viem";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";

const BASE = process.argv[2];
const BUDGET = 20_000_000_000n; // 20,000.00 USD, in micro-USD
const SIGNED = { tick: 440, units: 900n };
const SENT = { tick: 405, units: 700n };

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function until(what, found, seconds = 30) {
  for (const end = Date.now() + seconds * 1_000; Date.now() < end; await pause(100)) {
    const value = await found();
    if (value) return value;
  }
  throw new Error(`waited ${seconds} s for ${what}`);
}

async function call(method, path, body) {
  const answer = await fetch(BASE + path, {
    method,
    headers: { "Content-Type": "application/json" },
    body: body && JSON.stringify(body),
  });
  const said = await answer.json();
  assert.ok(answer.ok, `${method} ${path}: ${answer.status} ${said.detail} ${said.remedy}`);
  return said;
}

const get = (path) => call("GET", path);
const ended = (link, states) =>
  until(`${link} to be ${states}`, async () => {
    const status = await get(link);
    assert.ok(!["reverted", "cancelled", "skipped", "expired"].includes(status.state), `${link}: ${status.reason}`);
    return states.includes(status.state) && status;
  });

// ---- where the market is

const deployment = await get("/deployment");
const contracts = {};
for (const name of Object.keys(deployment.addresses)) contracts[name] = await get(`/deployment/abi/${name}`);
const chain = defineChain({
  id: deployment.chain_id,
  name: deployment.chain_name,
  nativeCurrency: { name: "Ether", symbol: "ETH", decimals: 18 },
  rpcUrls: { default: { http: [BASE + deployment.rpc] } },
});
const node = createPublicClient({ chain, transport: http(), pollingInterval: 100 });
const account = privateKeyToAccount(generatePrivateKey());
const wallet = createWalletClient({ account, chain, transport: http() });

const read = (name, functionName, ...args) =>
  node.readContract({ address: contracts[name].address, abi: contracts[name].abi, functionName, args });

async function send(name, functionName, ...args) {
  const { address, abi } = contracts[name];
  const hash = await wallet.writeContract({ address, abi, functionName, args });
  const receipt = await node.waitForTransactionReceipt({ hash });
  assert.equal(receipt.status, "success", `${name}.${functionName} reverted`);
  return receipt;
}

const logsOf = (name, eventName, args) =>
  node.getContractEvents({
    address: contracts[name].address,
    abi: contracts[name].abi,
    eventName,
    args,
    fromBlock: BigInt(deployment.block),
    strict: true,
  });

// ---- money

assert.ok(deployment.faucet, "this market's money is real");
const given = await call("POST", "/accounts/faucet", { amount: "20000 USD", owner: account.address });
await ended(given.links.status, ["included", "safe", "final"]);
assert.equal(await read("Token", "balanceOf", account.address), BUDGET);
assert.ok((await node.getBalance(account)) >= 10n ** 18n, "no gas");
await send("Token", "approve", contracts.Treasury.address, maxUint256);
await send("Treasury", "deposit", BUDGET / 2n);
assert.equal(await read("Treasury", "cashOf", account.address), BUDGET / 2n);

// ---- what there is to buy

const product = await until("a product to be offered", async () => {
  const [first] = (await get("/products?open=true&limit=1")).data;
  return first;
});
const id = BigInt(product.id);

// ---- one bid by a signature, one by a transaction, in the same round

const [, domainName, version, chainId, verifyingContract] = await read("Exchange", "eip712Domain");
const domain = { name: domainName, version, chainId, verifyingContract };
assert.equal(getAddress(verifyingContract), getAddress(contracts.Exchange.address));
const types = {
  Order: [
    { name: "owner", type: "address" },
    { name: "kind", type: "uint8" },
    { name: "site", type: "uint32" },
    { name: "product", type: "uint256" },
    { name: "tick", type: "uint16" },
    { name: "units", type: "uint64" },
    { name: "round", type: "uint64" },
    { name: "index", type: "uint8" },
    { name: "epoch", type: "uint32" },
  ],
};
const before = await read("Exchange", "currentRound");
const round = await until("a new round with an offer in it", async () => {
  const now = await read("Exchange", "currentRound");
  const [, asks] = await read("Exchange", "depthOf", id, now);
  return now > before && asks.some((units) => units > 0n) && now;
});
const [, epoch] = await read("Treasury", "accountOf", account.address);
const message = { owner: account.address, kind: 1, site: 0, product: id, ...SIGNED, round, index: 0, epoch };
const typed = { domain, types, primaryType: "Order", message };
const signature = await account.signTypedData(typed);
const order = { ...message, product: id.toString(), units: Number(SIGNED.units), round: Number(round) };
const queued = await call("POST", "/transactions", { order, signature });
assert.equal(queued.id, hashTypedData(typed), "the API names the order by another digest");
const placing = await send("Exchange", "bid", id, SENT.tick, SENT.units);
const relayed = await ended(`/transactions/${queued.id}`, ["placed"]);

// ---- the round's price, computed here

const [cleared] = await until("the round to clear", async () => {
  const found = await logsOf("Exchange", "Cleared", { product: id, round });
  return found.length && found;
});

function unpack(word) {
  const bits = (from, length) => (word >> BigInt(from)) & ((1n << BigInt(length)) - 1n);
  const selling = bits(94, 2) > 1n;
  return { selling, tick: Number(bits(84, 10)), at: bits(64, 20), prefix: bits(32, 32), units: bits(0, 32) };
}

function clear(orders) {
  const supply = (tick) => sum(orders.filter((one) => one.selling && one.tick <= tick));
  const demand = (tick) => sum(orders.filter((one) => !one.selling && one.tick >= tick));
  const sum = (some) => some.reduce((total, one) => total + one.units, 0n);
  const least = (a, b) => (a < b ? a : b);
  let best = { volume: 0n, gap: 0n, ticks: [] };
  for (let tick = 1; tick <= 1023; tick++) {
    const [s, d] = [supply(tick), demand(tick)];
    const [volume, gap] = [least(s, d), s > d ? s - d : d - s];
    if (volume > best.volume || (volume === best.volume && gap < best.gap)) best = { volume, gap, ticks: [] };
    if (volume === best.volume && gap === best.gap) best.ticks.push(tick);
  }
  if (best.volume === 0n) return { units: 0n, fillOf: () => 0n };
  const tick = Math.floor((best.ticks[0] + best.ticks.at(-1)) / 2);
  const margin = (selling) => {
    let left = best.volume;
    const side = orders.filter((one) => one.selling === selling);
    const ticks = [...new Set(side.map((one) => one.tick))].sort((a, b) => (selling ? a - b : b - a));
    for (const last of ticks) {
      const standing = sum(side.filter((one) => one.tick === last));
      if (standing >= left) return { last, filled: left, standing };
      left -= standing;
    }
  };
  const margins = { true: margin(true), false: margin(false) };
  const fillOf = ({ selling, tick: at, prefix, units }) => {
    const { last, filled, standing } = margins[selling];
    if (at === last) return ((prefix + units) * filled) / standing - (prefix * filled) / standing;
    return (selling ? at < last : at > last) ? units : 0n;
  };
  return { tick, units: best.volume, fillOf };
}

const [opened] = await logsOf("Exchange", "BookOpened", { product: id });
const firstRound = opened.args.book >> 208n;
const placed = (await logsOf("Exchange", "OrderPlaced", { product: id }))
  .map(({ args, transactionHash }) => ({ ...unpack(args.order), slot: args.index, owner: args.owner, transactionHash }))
  .filter((one) => firstRound + one.at === round);
const found = clear(placed);
assert.equal(cleared.args.priceTick, found.tick, "the contract found another price");
assert.equal(cleared.args.units, found.units, "the contract traded other units");
assert.deepEqual([...(await read("Exchange", "clearingOf", id, round))], [true, found.tick, found.units]);

const fills = await until("all orders to be settled", async () => {
  const settled = await logsOf("Exchange", "Settled", { product: id, round });
  const words = settled.flatMap(({ args }) => args.fills).filter((word) => word > 0n);
  return words.length >= placed.length && new Map(words.map((w) => [Number((w >> 32n) & 0xffffffffn), w & 0xffffffffn]));
});
for (const one of placed) assert.equal(fills.get(one.slot), found.fillOf(one), `slot ${one.slot} was filled otherwise`);

const shown = (await get(`/audit/clearings/${product.product}/${round}`)).data;
assert.equal(shown.clearing.price_tick, found.tick);
assert.equal(shown.orders.length, placed.length);

// ---- what that came to

const mine = placed.filter((one) => one.owner === account.address);
assert.equal(mine.length, 2);
const [placement] = parseEventLogs({ abi: contracts.Exchange.abi, eventName: "OrderPlaced", logs: placing.logs });
assert.deepEqual(new Set(mine.map((one) => one.slot)), new Set([relayed.slot, placement.args.index]));
const got = mine.reduce((total, one) => total + found.fillOf(one), 0n);
assert.ok(got > 0n, "nothing was bought");
const price = await read("Exchange", "priceOf", product.class_id, found.tick);
const paid = got * BigInt(product.hours) * price;
assert.equal(await read("Capacity", "balanceOf", account.address, id), got);
assert.equal(await read("Treasury", "cashOf", account.address), BUDGET / 2n - paid, "the refund is another");

// ---- units used, money taken home

const sites = [...new Set((await logsOf("Delivery", "OfferSettled", {})).map(({ args }) => args.site))];
const obliged = [];
for (const site of sites) if ((await read("Delivery", "obligationOf", id, site))[0] >= got) obliged.push(site);
const redeeming = await send("Delivery", "redeem", id, obliged[0], got, keccak256(toHex("train resnet50")));
const [redeemed] = parseEventLogs({ abi: contracts.Delivery.abi, eventName: "Redeemed", logs: redeeming.logs });
assert.equal(await read("Capacity", "balanceOf", account.address, id), 0n);
const leases = await until("the lease to be shown", async () => {
  const { data } = await get(`/leases?holder=${account.address}`);
  return data.length && data;
});
assert.equal(leases[0].lease, Number(redeemed.args.lease));
assert.equal(BigInt(leases[0].units), got);
await send("Treasury", "withdraw", BUDGET / 2n - paid, account.address);
assert.equal(await read("Treasury", "cashOf", account.address), 0n);
assert.equal(await read("Token", "balanceOf", account.address), BUDGET - paid);

console.log(
  JSON.stringify({
    address: account.address,
    product: product.product,
    round: Number(round),
    tick: found.tick,
    units: Number(got),
    paid_micro: Number(paid),
    orders: placed.length,
    lease: Number(redeemed.args.lease),
  }),
);
