// The clearing rule of a round, written from its text alone (DESIGN 4.4) and from no other implementation: what a
// contract said is believed only when these lines say the same. Units and ticks are numbers; products are exact.
//
// S(t) = units offered at ticks ≤ t, D(t) = units wanted at ticks ≥ t, V(t) = min(S, D). No trade if V is 0 everywhere.
// The price tick is, among the ticks with the largest V, among those with the least |S − D|, the middle one: the floor
// of the mean of the lowest and the highest. Each side fills by price priority; at the last tick of a side that fills,
// q of v units trade, and an order with prefix p and units u gets floor((p+u)·q/v) − floor(p·q/v).

const TICKS = Array.from({ length: 1023 }, (_, index) => index + 1);

const sells = (order) => order.kind !== "bid";
const sum = (orders) => orders.reduce((total, order) => total + order.units, 0);
const supply = (orders, tick) => sum(orders.filter((order) => sells(order) && order.tick <= tick));
const demand = (orders, tick) => sum(orders.filter((order) => !sells(order) && order.tick >= tick));

/** The price of a tick in micro per unit-hour: seven bits of mantissa, eight octaves. */
export const priceMicro = (tick, tickSizeMicro) => (128 + (tick & 127)) * 2 ** (tick >> 7) * tickSizeMicro;

/** The last tick of a side that fills, with `filled` of the `standing` units there. */
function margin(orders, ticks, volume) {
  let left = volume;
  for (const tick of ticks) {
    const standing = sum(orders.filter((order) => order.tick === tick));
    if (standing >= left) return { tick, filled: left, standing };
    left -= standing;
  }
  throw new Error("A side cannot trade more than it has.");
}

/** What a round with these orders ({kind, tick, units, prefix}) comes to: {units, price_tick, bid, ask}. */
export function clear(orders) {
  const limits = TICKS.map((tick) => {
    const [s, d] = [supply(orders, tick), demand(orders, tick)];
    return { tick, volume: Math.min(s, d), gap: Math.abs(s - d) };
  });
  const units = Math.max(...limits.map(({ volume }) => volume));
  if (units === 0) return { units: 0, price_tick: null, bid: null, ask: null };
  const fullest = limits.filter(({ volume }) => volume === units);
  const leastGap = Math.min(...fullest.map(({ gap }) => gap));
  const balanced = fullest.filter(({ gap }) => gap === leastGap).map(({ tick }) => tick);
  return {
    units,
    price_tick: Math.floor((balanced[0] + balanced[balanced.length - 1]) / 2),
    bid: margin(orders.filter((order) => !sells(order)), [...TICKS].reverse(), units),
    ask: margin(orders.filter(sells), TICKS, units),
  };
}

/** How many units of one order trade in such a clearing. */
export function filled(order, clearing) {
  const last = sells(order) ? clearing.ask : clearing.bid;
  if (!last) return 0;
  if (order.tick !== last.tick) return sells(order) === order.tick < last.tick ? order.units : 0;
  const share = (units) => (BigInt(units) * BigInt(last.filled)) / BigInt(last.standing);
  return Number(share(order.prefix + order.units) - share(order.prefix));
}

/** The volume that stood at each order's tick and side when it came: the orders are in the order of their arrival. */
export function prefixes(orders) {
  const standing = new Map();
  return orders.map((order) => {
    const place = `${sells(order)} ${order.tick}`;
    const prefix = standing.get(place) ?? 0;
    standing.set(place, prefix + order.units);
    return prefix;
  });
}
