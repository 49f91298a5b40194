// How well a site delivers: its record by window, its uptime, its standing over time; and hours in which it will not.
import { now } from "/web/clock.js";
import { h, put } from "/web/dom.js";
import { day, hoursText, moment, number, percent, units } from "/web/format.js";
import { facts, get, post } from "/web/http.js";
import { say, t } from "/web/i18n.js";
import { field, select, table, tile } from "/web/parts/fields.js";
import { follow, nothing, problemBox } from "/web/parts/notice.js";
import { openSheet } from "/web/parts/sheet.js";
import { bearer, identity, signTyped } from "/web/session.js";

const HOUR_S = 3600;
const SHOWN = 8;

/** A sheet with a site's record, for whoever wants to know before buying there. */
export function openQuality(site) {
  const body = h("div", { class: "stack" });
  openSheet(t("provider.site", { site: number(site.site), count: number(site.devices), device: site.device }), body).classList.add("broad");
  fillQuality(body, site.site, false);
}

/** Fills a box with a site's record; its provider may announce hours without service there. */
export async function fillQuality(box, site, mine) {
  if (!box.hasChildNodes()) put(box, h("p", { class: "muted" }, "…"));
  try {
    const [record, silent] = await Promise.all([get(`/sites/${site}/record`), get(`/sites/${site}/maintenance`)]);
    const again = () => fillQuality(box, site, mine);
    put(box, recordOf(record.data), h("h3", {}, t("quality.maintenance")), announced(silent.data, site, mine, again), mine ? announceForm(site, again) : null);
  } catch (error) {
    put(box, problemBox(error));
  }
}

const unitHours = (milli) => t("unit.unitHours", { count: number(Math.round(Number(milli) / 1000)) });

function recordOf(record) {
  const uptime = ({ days, share_bp: share, leased_milli_hours: leased }) => tile(t("quality.uptime", { days: number(days) }), share === null ? "–" : percent(share, 2), share === null ? t("quality.noLease") : t("quality.ofLeased", { amount: unitHours(leased) }));
  return [
    h("div", { class: "tiles" }, record.uptimes.map(uptime), tile(t("quality.weight"), percent(record.weight_bp), t("quality.weightBelow"))),
    h("div", { class: "tiles" }, tile(t("quality.delivered"), unitHours(record.delivered_milli_hours)), tile(t("quality.failed"), unitHours(record.failed_milli_hours)), tile(t("quality.disputed"), unitHours(record.disputed_milli_hours))),
    h("h3", {}, t("quality.windows")),
    record.windows.length ? windows(record.windows.slice(0, SHOWN)) : nothing(t("quality.noWindow")),
    h("h3", {}, t("quality.standing")),
    standings(record),
  ];
}

const windows = (rows) =>
  table(
    t("quality.windows"),
    [
      [t("col.window"), (row) => h("span", {}, moment(row.start_hour * HOUR_S), h("small", {}, hoursText(row.hours)))],
      [t("quality.leased"), (row) => unitHours(row.leased_milli_hours), "right"],
      [t("quality.delivered"), (row) => unitHours(row.delivered_milli_hours), "right"],
      [t("quality.failed"), (row) => unitHours(row.failed_milli_hours), "right"],
      [t("quality.disputed"), (row) => unitHours(row.disputed_milli_hours), "right"],
    ],
    rows,
  );

/** What was attested and what leases made of it, newest first. */
function standings(record) {
  const rows = [
    ...record.standings.slice(0, SHOWN).map((each) => [each.time_s, t("quality.after", { lease: number(each.lease), share: percent(each.derating_bp), grade: say("grade", each.grade) })]),
    ...record.attestations.slice(0, SHOWN).map((each) => [each.time_s, t("quality.attested", { units: units(each.units), grade: say("grade", each.grade), time: moment(each.valid_until_s) })]),
  ].sort(([one], [other]) => other - one);
  if (!rows.length) return nothing(t("quality.noStanding"));
  return h("ul", { class: "plainlist" }, rows.map(([time_s, text]) => h("li", { class: "row tight spread" }, h("span", {}, text), h("small", {}, moment(time_s)))));
}

function announced(rows, site, mine, again) {
  const open = rows.filter((each) => each.withdrawn_s === null);
  if (!open.length) return nothing(t("quality.noMaintenance"));
  const line = (each) => h("li", { class: "row tight spread" }, h("span", {}, `${moment(each.from_hour * HOUR_S)} → ${moment(each.to_hour * HOUR_S)}`, each.note ? h("small", {}, ` ${each.note}`) : null), mine ? h("button", { onclick: (event) => withdraw(event.currentTarget, site, each.digest, again) }, t("quality.withdraw")) : null);
  return h("ul", { class: "plainlist" }, open.map(line));
}

/** Says it with the key of who provides the site: kept here, or signed by a wallet. */
async function signed(path, body) {
  if (identity().kind === "key") return facts(await post(path, body, { key: await bearer() }));
  const { typed_data, body: said } = facts(await post(`${path}/typed-data`, body));
  return facts(await post(path, { ...said, signature: await signTyped(typed_data) }));
}

async function withdraw(button, site, digest, again) {
  if (await follow(button, t("quality.withdraw"), () => signed(`/sites/${site}/maintenance/${digest}/withdraw`, {}))) await again();
}

function announceForm(site, again) {
  const first = Math.ceil(now() / HOUR_S / 24) * 24;
  const date = select(Array.from({ length: 14 }, (_, index) => [first + index * 24, day((first + index * 24) * HOUR_S)]), first);
  const hour = select(Array.from({ length: 24 }, (_, index) => [index, `${String(index).padStart(2, "0")}:00 UTC`]), 0);
  const length = select([1, 2, 4, 8, 12, 24, 48].map((hours) => [hours, hoursText(hours)]), 4);
  const note = h("input", { type: "text", maxlength: "200", autocomplete: "off", placeholder: t("quality.noteExample") });
  const button = h("button", {}, t("quality.announce"));
  const submit = async (event) => {
    event.preventDefault();
    const from_hour = Number(date.value) + Number(hour.value);
    const body = { from_hour, to_hour: from_hour + Number(length.value), note: note.value.trim() };
    if (await follow(button, t("quality.announce"), () => signed(`/sites/${site}/maintenance`, body))) await again();
  };
  return h("form", { class: "stack", onsubmit: submit }, h("div", { class: "grid" }, field(t("offer.day"), date), field(t("quality.hour"), hour), field(t("offer.hours"), length), field(t("quality.note"), note)), h("p", { class: "fine" }, t("quality.announceHint")), h("div", {}, button));
}
