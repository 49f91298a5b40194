// Asking again in the next round for what a round did not bring. Money that was held for it has come back before, so
// that all rounds together never cost more than the first could have. It lasts as long as the page is open.
import { now } from "/web/clock.js";
import { h } from "/web/dom.js";
import { number, percent, units } from "/web/format.js";
import { get } from "/web/http.js";
import { t } from "/web/i18n.js";
import { classOf, roundSeconds } from "/web/market.js";
import { problemBox, say } from "/web/parts/notice.js";
import { act, address, apiKey, settled } from "/web/session.js";

const LOOK_MS = 1500;

/** Follows an order that stands (`placed` as /transactions tells it) and places its rest anew, round after round. */
export async function repeat(product, body, placed) {
  const owner = address();
  const state = { going: true, rounds: 1, left: body.units, far: "" };
  const stop = h("button", { type: "button", onclick: () => (state.going = false) }, t("repeat.stop"));
  const until = () => (Math.floor(now() / roundSeconds()) + 1) * roundSeconds();
  const clears = () => h("span", { class: "number", "data-until": until(), "data-then": t("board.any") });
  const text = () => [t("repeat.going", { units: units(state.left), rounds: number(state.rounds) }), " ", t("ticket.clears"), " ", clears(), t("mark.end"), state.far, " ", stop];
  const note = say(text(), "busy");
  try {
    for (let order = placed; state.going; ) {
      state.left -= await outcome(owner, order.transaction, state);
      if (!state.going || state.left < (classOf(product.class)?.min_order_units ?? 1)) break;
      if (address() !== owner || now() > product.closes_s) break;
      order = await settled(await act("/orders", { ...body, units: state.left }));
      state.rounds += 1;
      state.far = await tooLow(product, body).catch(() => "");
      note.change(text(), "busy");
    }
    const ended = t(state.left ? "repeat.ended" : "repeat.bought", { units: units(state.left ? state.left : body.units) });
    note.change([ended, " ", h("a", { href: "#/portfolio" }, t("ticket.look"))], state.left ? "note" : "good");
  } catch (error) {
    note.change(problemBox(error), "bad");
  }
}

/** Says so where the last clearing was above the limit: then asking again may go on for long. */
async function tooLow(product, body) {
  const { last } = (await get(`/products/${encodeURIComponent(product.product)}`)).data;
  const micro = last?.price?.price_micro ?? 0;
  return body.price_micro < micro ? t("ticket.below", { share: percent(((micro - body.price_micro) * 10_000) / micro) }) : "";
}

/** What an order traded, once it is settled. */
async function outcome(owner, transaction, state) {
  while (state.going) {
    const { data } = await get(`/orders?owner=${owner}&limit=50`, { key: apiKey() });
    const order = data.find((each) => each.transaction === transaction);
    if (order?.settled) return order.filled;
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
  return 0;
}
