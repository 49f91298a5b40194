// Calls that cannot be built by the API yet, because what comes before them in the same batch has not happened.
import { facts, get } from "/web/http.js";
import { market } from "/web/market.js";

/** An order as a call of the exchange: `body` is a preview's, with its tick; `product` has the token id. */
export async function orderCall(product, body) {
  const [{ Interface }, abi] = await Promise.all([import("/packages/ethers.min.js"), get("/deployment/abi/Exchange")]);
  const values = [BigInt(product.id), body.tick, body.units];
  const data = new Interface(facts(abi).abi).encodeFunctionData(body.kind, body.kind === "offer" ? [body.site, ...values] : values);
  return { to: market().addresses.Exchange, data, value: "0x0" };
}
