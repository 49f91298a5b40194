// Turning units into compute: one chooses a site that owes them, or takes the one with the best record.
import { h, put } from "/web/dom.js";
import { number, percent, units } from "/web/format.js";
import { all } from "/web/http.js";
import { t } from "/web/i18n.js";
import { placeName } from "/web/names.js";
import { field, select } from "/web/parts/fields.js";
import { follow, nothing, problemBox } from "/web/parts/notice.js";
import { openSheet } from "/web/parts/sheet.js";
import { act, preview, settled } from "/web/session.js";

const ASKED_MAX = 40;

export function redeemButton(product, again) {
  return h("button", { class: "primary", onclick: () => openRedeem(product, again) }, t("redeem.use"));
}

async function openRedeem(product, again) {
  const body = h("div", { class: "stack" });
  const dialog = openSheet(t("redeem.title"), body);
  try {
    const { data } = await all("/sites", 500);
    put(body, h("p", { class: "muted" }, t("redeem.asking")));
    put(body, form(product, await owing(product, data), dialog, again));
  } catch (error) {
    put(body, problemBox(error));
  }
}

/** Whether a site is of the class and within reach of the product. */
export function serves(site, product) {
  const reached = product.tier === "WIDE" || (product.tier === "HUB" ? site.hub?.code : site.metro?.code) === product.area?.code;
  return site.class === product.class && reached;
}

/** The sites that would take a unit of the product now: each is asked by a preview, which nobody pays for. */
async function owing(product, sites) {
  const near = sites.filter((site) => serves(site, product)).slice(0, ASKED_MAX);
  const answers = await Promise.all(near.map((site) => preview("/leases", { product: product.product, site: site.site, units: 1 }).catch(() => ({ refusal: true }))));
  return near.filter((_, place) => !answers[place].refusal);
}

/** Best record first. */
export const trust = (site) => {
  const all_milli = Number(site.delivered_milli_hours ?? 0) + Number(site.failed_milli_hours ?? 0);
  return all_milli ? Number(site.delivered_milli_hours) / all_milli : 1;
};

/** The same in words; a site that never had to deliver has no record. */
export const record = (site) =>
  Number(site.delivered_milli_hours) + Number(site.failed_milli_hours) ? t("site.record", { share: percent(trust(site) * 10_000, 2) }) : t("site.noRecord");

function form(product, sites, dialog, again) {
  if (!sites.length) return nothing(t("redeem.nobody"));
  const ranked = [...sites].sort((one, other) => trust(other) - trust(one) || one.site - other.site);
  const name = (site) => t("redeem.site", { site: number(site.site), device: site.device, place: placeName(site.metro), record: record(site) });
  const site = select(ranked.map((each) => [each.site, name(each)]), ranked[0].site);
  const amount = h("input", { type: "number", min: "1", max: String(product.units), value: String(product.units), inputmode: "numeric" });
  const job = h("input", { type: "text", placeholder: t("redeem.jobExample"), autocomplete: "off" });
  const button = h("button", { class: "primary wide" }, t("redeem.do"));
  const submit = async (event) => {
    event.preventDefault();
    const body = { product: product.product, site: Number(site.value), units: Number(amount.value), job: job.value || t("redeem.jobNone") };
    const done = await follow(button, t("redeem.act", { units: units(body.units) }), async () => settled(await act("/leases", body)));
    if (!done) return;
    dialog.close();
    await again?.();
  };
  return h("form", { class: "stack", onsubmit: submit }, h("p", { class: "muted" }, t("redeem.lead")), field(t("redeem.where"), site), field(t("ticket.units"), amount), field(t("redeem.job"), job, t("redeem.jobHint")), button);
}
