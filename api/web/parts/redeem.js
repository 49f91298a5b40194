// Turning units into compute: one chooses a site that owes them, or takes the one with the best record.
import { h, put } from "/web/dom.js";
import { number, percent, units } from "/web/format.js";
import { all } from "/web/http.js";
import { t } from "/web/i18n.js";
import { placeName } from "/web/names.js";
import { keepDocument } from "/web/parts/document.js";
import { field, select } from "/web/parts/fields.js";
import { follow, nothing, problemBox } from "/web/parts/notice.js";
import { openSheet } from "/web/parts/sheet.js";
import { act, settled } from "/web/session.js";

export function redeemButton(product, again) {
  return h("button", { class: "primary", onclick: () => openRedeem(product, again) }, t("redeem.use"));
}

async function openRedeem(product, again) {
  const body = h("div", { class: "stack" });
  const dialog = openSheet(t("redeem.title"), body);
  put(body, h("p", { class: "muted" }, t("redeem.asking")));
  try {
    const [owing, sites] = await Promise.all([all(`/products/${encodeURIComponent(product.product)}/sites?owing=true`), all("/sites", 500)]);
    const known = new Map(sites.data.map((site) => [site.site, site]));
    put(body, form(product, owing.data.map((each) => ({ ...known.get(each.site), ...each })), dialog, again));
  } catch (error) {
    put(body, problemBox(error));
  }
}

/** The share that a site delivered of what was due. */
const trust = (site) => {
  const all_milli = Number(site.delivered_milli_hours ?? 0) + Number(site.failed_milli_hours ?? 0);
  return all_milli ? Number(site.delivered_milli_hours) / all_milli : 1;
};

/** The same in words; a site that never had to deliver has no record. */
const record = (site) =>
  Number(site.delivered_milli_hours) + Number(site.failed_milli_hours) ? t("site.record", { share: percent(trust(site) * 10_000, 2) }) : t("site.noRecord");

function form(product, sites, dialog, again) {
  if (!sites.length) return nothing(t("redeem.nobody"));
  const ranked = [...sites].sort((one, other) => one.maintenance_hours - other.maintenance_hours || other.weight_bp - one.weight_bp || one.site - other.site);
  const name = (site) => [t("redeem.site", { site: number(site.site), device: site.device ?? "", place: placeName(site.metro), record: record(site) }), t("redeem.owes", { units: units(site.owed_units) }), site.maintenance_hours ? t("redeem.maintenance", { count: number(site.maintenance_hours) }) : ""].filter(Boolean).join(", ");
  const site = select(ranked.map((each) => [each.site, name(each)]), ranked[0].site);
  const amount = h("input", { type: "number", min: "1", max: String(product.units), value: String(Math.min(product.units, ranked[0].owed_units)), inputmode: "numeric" });
  const most = () => {
    const owed = ranked.find((each) => String(each.site) === site.value)?.owed_units ?? product.units;
    amount.max = String(Math.min(product.units, owed));
    amount.value = String(Math.min(Number(amount.value) || 1, Number(amount.max)));
  };
  site.addEventListener("change", most);
  const held = h("small", { class: "bad" });
  const tooMany = () => put(held, Number(amount.value) > product.units ? t("redeem.tooMany", { held: units(product.units) }) : Number(amount.value) > Number(amount.max) ? t("redeem.tooManyHere", { owed: units(Number(amount.max)) }) : "");
  // A provider that gives whole devices runs no job on less than one, and is paid for the time.
  const little = h("small", { class: "warn" });
  const tooFew = () => {
    const at = ranked.find((each) => String(each.site) === site.value);
    const least = at?.class === "GENERAL" ? 0 : Math.ceil((at?.attested_units ?? 0) / Math.max(1, at?.devices ?? 1));
    put(little, Number(amount.value) < least ? t("redeem.tooFew", { device: at.device, units: units(least) }) : "");
  };
  for (const check of [tooMany, tooFew]) {
    amount.addEventListener("input", check);
    site.addEventListener("change", check);
  }
  tooFew();
  const job = h("input", { type: "text", class: "mono", placeholder: t("redeem.jobExample"), autocomplete: "off", spellcheck: "false" });
  const button = h("button", { class: "primary wide" }, t("redeem.do"));
  const submit = async (event) => {
    event.preventDefault();
    const body = { product: product.product, site: Number(site.value), units: Number(amount.value) };
    const command = job.value.trim();
    const done = await follow(button, t("redeem.act", { units: units(body.units) }), async () => {
      if (command) body.job_hash = await keepDocument(command);
      return settled(await act("/leases", body));
    });
    if (!done) return;
    dialog.close();
    await again?.();
  };
  return h("form", { class: "stack", onsubmit: submit }, h("p", { class: "muted" }, t("redeem.lead")), field(t("redeem.where"), site), field(t("ticket.units"), amount), h("p", { "aria-live": "polite" }, held, little), field(t("redeem.job"), job, t("redeem.jobHint")), button);
}
