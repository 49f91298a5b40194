// Jobs: said in words or as a list, planned over all sites, bought at once, followed until they are paid.
import { again } from "/web/again.js";
import { tickNow } from "/web/clock.js";
import { h, put } from "/web/dom.js";
import { facts, post } from "/web/http.js";
import { t } from "/web/i18n.js";
import { campaigns } from "/web/parts/campaign.js";
import { dispatchPlan } from "/web/parts/dispatch.js";
import { jobForm } from "/web/parts/jobform.js";
import { section } from "/web/parts/fields.js";
import { problemBox } from "/web/parts/notice.js";
import { address, apiKey } from "/web/session.js";

const PAUSE_MS = 15_000;

export async function open(_, options) {
  const result = h("div", { class: "stack" });
  const state = { turn: 0, asked: false };
  const under = campaigns();
  const started = (campaign) => {
    under.add(campaign);
    under.node.scrollIntoView({ block: "nearest" });
  };
  const search = async () => {
    const mine = ++state.turn;
    if (!result.hasChildNodes()) put(result, h("p", { class: "muted" }, t("jobs.planning")));
    try {
      const said = await form.ask();
      if ("csv" in said && !said.csv.trim()) return put(result);
      const owner = apiKey() || !address() ? {} : { owner: address() };
      const plan = facts(await post("/dispatch/preview", { ...said, ...owner }, { key: apiKey() }));
      if (mine === state.turn) put(result, dispatchPlan(plan, said, form.command(), started, search));
    } catch (error) {
      if (mine === state.turn) put(result, problemBox(error, search));
    }
    return tickNow();
  };
  const form = jobForm(options.get("q"), search);
  const anew = again(search, PAUSE_MS);
  const node = h(
    "div",
    { class: "page" },
    h("header", { class: "title" }, h("h1", {}, t("jobs.title")), h("p", { class: "lead" }, t("jobs.lead"))),
    form.node,
    result,
    section(t("jobs.campaigns"), under.node, null, { class: "card" }),
  );
  search();
  // Prices move: what is shown is asked again now and then, unless somebody is looking closely.
  const update = (kind) => (kind === "reorg" || !result.matches(":hover, :focus-within")) && anew();
  // Who one is changes what one holds and what is under way, and nothing of what was typed.
  const become = () => {
    under.reload();
    search();
  };
  addEventListener("identity", become);
  const close = () => {
    removeEventListener("identity", become);
    anew.stop();
    under.close();
  };
  return { node, title: t("jobs.title"), update, close };
}
