// For those who sell: register a site, offer a day of it, see it earn.
import { again } from "/web/again.js";
import { now } from "/web/clock.js";
import { h, link, put } from "/web/dom.js";
import { day, hoursText, moment, number, percent, units, usd } from "/web/format.js";
import { all, get } from "/web/http.js";
import { say, t } from "/web/i18n.js";
import { areas, classes, devices, grades, hubOf, tiers } from "/web/market.js";
import { className, gradeName, placeName, tierName } from "/web/names.js";
import { heat } from "/web/charts/heat.js";
import { openAccount } from "/web/parts/account.js";
import { field, section, select, tile } from "/web/parts/fields.js";
import { leaseCards } from "/web/parts/leases.js";
import { follow, nothing, problemBox } from "/web/parts/notice.js";
import { fillQuality, openQuality } from "/web/parts/quality.js";
import { ticket } from "/web/parts/ticket.js";
import { renew } from "/web/renew.js";
import { act, address, identity, settled } from "/web/session.js";

const DAY_S = 86400;
const WEEK_HOURS = 168;
const ATTESTED_S = 90 * DAY_S;
const STALE_S = 30;
const PAUSE_MS = 400;

export async function open() {
  const list = h("div", { class: "stack" });
  const others = h("div");
  const cards = new Map();
  let seen = 0;
  const load = async () => {
    const sites = (await all("/sites")).data;
    const mine = sites.filter((site) => site.provider?.toLowerCase() === address()?.toLowerCase());
    drawCards(list, cards, mine, redraw.now);
    renew(others, sites.length ? neighbours(sites) : nothing(t("provider.noSites")));
    seen = now();
    return mine.map((site) => cards.get(keyOf(site)).draw(site));
  };
  const redraw = again(async () => Promise.all(await load()), PAUSE_MS);
  await load();
  const node = h(
    "div",
    { class: "page" },
    h("header", { class: "title" }, h("h1", {}, t("provider.title")), h("p", { class: "lead" }, t("provider.lead"))),
    identity() ? section(t("provider.register"), registerForm(redraw.now), null, { class: "card" }) : h("p", {}, h("button", { class: "primary", onclick: openAccount }, t("account.connect"))),
    list,
    section(t("provider.all"), others, null, { class: "card" }),
  );
  // Sites change seldom: now and then, and when a block is about who is here.
  const update = (kind, event) => {
    const mine = event?.accounts?.some((each) => each.toLowerCase() === address()?.toLowerCase());
    if (kind === "reorg" || mine || now() - seen >= STALE_S) redraw();
  };
  return { node, title: t("provider.title"), update, personal: true, close: () => redraw.stop() };
}

const isAttested = (site) => site.attested_units > 0 && (site.valid_until_s ?? 0) > now();
/** A card is made once for as long as its site is attested or not; what it shows is drawn anew, its forms stay. */
const keyOf = (site) => `${site.site} ${isAttested(site)}`;

function drawCards(list, cards, mine, redraw) {
  const keys = mine.map(keyOf);
  for (const key of cards.keys()) if (!keys.includes(key)) cards.delete(key);
  for (const site of mine) if (!cards.has(keyOf(site))) cards.set(keyOf(site), siteCard(site, redraw));
  const nodes = keys.map((key) => cards.get(key).node);
  if (!nodes.length) put(list, identity() ? nothing(t("provider.none")) : null);
  else if (nodes.length !== list.children.length || nodes.some((node, place) => node !== list.children[place])) put(list, nodes);
}

const metros = () => areas().filter((area) => !area.is_hub);

function registerForm(draw) {
  const names = [...new Set(devices().map((each) => each.device))];
  const list = h("datalist", { id: "devices" }, names.map((name) => h("option", { value: name })));
  const device = h("input", { type: "text", list: "devices", value: names.find((name) => name.startsWith("H100 SXM")) ?? names[0] ?? "", autocomplete: "off", required: true });
  const count = h("input", { type: "number", min: "1", step: "1", value: "8", inputmode: "numeric", required: true });
  const metro = select(metros().map((area) => [area.code, placeName(area)]).sort((one, other) => one[1].localeCompare(other[1])), metros().find((area) => area.name === "Frankfurt")?.code);
  const kind = select([], "", () => show());
  const uri = h("input", { type: "url", placeholder: "https://", autocomplete: "off" });
  const worth = h("p", { class: "muted" });
  const rated = () => devices().filter((each) => each.device === device.value);
  const show = () => {
    const rating = rated().find((each) => each.class === kind.value) ?? rated()[0];
    put(worth, rating ? t("provider.worth", { units: number(Math.floor((rating.milli_units * Number(count.value)) / 1000)), device: rating.device, each: number(rating.milli_units / 1000, 3), basis: say("basis", rating.basis) }) : t("provider.unknown"));
  };
  const named = () => {
    put(kind, rated().map((each) => h("option", { value: each.class }, className(each.class))));
    show();
  };
  device.addEventListener("input", named);
  count.addEventListener("input", show);
  named();
  const button = h("button", { class: "primary" }, t("provider.doRegister"));
  const submit = async (event) => {
    event.preventDefault();
    const body = { device: `${count.value}x ${device.value}`, metro: metros().find((area) => String(area.code) === metro.value)?.name ?? metro.value, class: kind.value, uri: uri.value };
    if (!kind.value) delete body.class;
    await follow(button, t("provider.doRegister"), async () => settled(await act("/sites", body)));
    await draw();
  };
  return h("form", { class: "stack", onsubmit: submit }, list, h("div", { class: "grid" }, field(t("provider.device"), device), field(t("provider.count"), count), field(t("provider.metro"), metro), field(t("filter.class"), kind), field(t("provider.uri"), uri, t("provider.uriHint"))), worth, h("div", {}, button));
}

/** The card of a site of one's own: {node, draw(site)}. */
function siteCard(site, redraw) {
  const attested = isAttested(site);
  const boxes = { figures: h("div", { class: "tiles" }), money: h("div", { class: "tiles" }), heat: h("div"), leases: h("div") };
  const body = h("div", { class: "stack" });
  const node = section(
    t("provider.site", { site: number(site.site), count: number(site.devices), device: site.device }),
    h("div", { class: "stack" }, h("p", { class: "muted" }, `${className(site.class)} · ${placeName(site.metro)} (${placeName(site.hub)}) `, site.uri ? link(site.uri) : null), boxes.figures, attested ? null : waitingForAuditor(site, redraw), body),
    h("span", { class: `badge ${attested ? "good" : "wait"}` }, t(attested ? "provider.attested" : "provider.unattested")),
    { class: "card" },
  );
  let turn = 0;
  const draw = async (current) => {
    const mine = ++turn;
    renew(boxes.figures, figures(current, attested));
    const found = await answers(site.site).catch((error) => error);
    if (mine !== turn) return null;
    // What was seen before says more than that it cannot be had just now.
    if (found instanceof Error) return body.hasChildNodes() ? null : put(body, problemBox(found, redraw));
    const [calendar, earnings] = found;
    renew(boxes.money, earned(earnings.data));
    renew(boxes.heat, calendar.data.hours?.length ? heat(calendar.data.hours) : nothing(t("heat.none")));
    renew(boxes.leases, leaseCards(earnings.data.leases ?? [], "provider", redraw));
    return body.contains(boxes.money) ? null : put(body, parts(site, attested, boxes, redraw));
  };
  return { node, draw };
}

const answers = (site) => Promise.all([get(`/sites/${site}/calendar?start_hour=${Math.floor(now() / 3600)}&hours=${WEEK_HOURS}`), get(`/sites/${site}/earnings`)]);

const parts = (site, attested, boxes, redraw) => [
  boxes.money,
  h(
    "div",
    { class: attested ? "siteplan" : "stack" },
    h("div", { class: "stack" }, h("h3", {}, t("heat.title")), boxes.heat),
    attested ? h("div", { class: "stack" }, h("h3", {}, t("offer.title")), offerForm(site, redraw)) : null,
  ),
  h("h3", {}, t("provider.leases")),
  boxes.leases,
  quality(site),
];

function figures(site, attested) {
  const all_milli = Number(site.delivered_milli_hours ?? 0) + Number(site.failed_milli_hours ?? 0);
  return [
    tile(t("provider.attestedUnits"), units(site.attested_units ?? 0), attested ? t("provider.until", { time: moment(site.valid_until_s), grade: say("grade", site.grade ?? "none") }) : t("provider.notYet")),
    tile(t("provider.issuable"), units(site.issuable_units ?? 0), t("provider.derating", { share: percent(site.derating_bp ?? 10_000) })),
    tile(t("provider.record"), all_milli ? percent((Number(site.delivered_milli_hours) / all_milli) * 10_000, 2) : "–", t("provider.recordBelow", { count: number(Math.round(all_milli / 1000)) })),
  ];
}

/** A site sells nothing until an auditor has measured it; whoever is one may say so here. */
function waitingForAuditor(site, draw) {
  const rating = devices().find((each) => each.device === site.device && each.class === site.class);
  const amount = h("input", { type: "number", min: "1", step: "1", value: String(Math.floor(((rating?.milli_units ?? 0) * site.devices) / 1000)) });
  const grade = select(grades().map((each) => [each, gradeName(each)]), "STANDARD");
  const evidence = h("input", { type: "text", required: true, placeholder: t("provider.evidenceExample"), autocomplete: "off" });
  const button = h("button", {}, t("provider.attest"));
  const submit = async (event) => {
    event.preventDefault();
    const body = { units: Number(amount.value), grade: grade.value, evidence: evidence.value, valid_until_s: now() + ATTESTED_S };
    await follow(button, t("provider.attest"), async () => settled(await act(`/sites/${site.site}/attest`, body)));
    await draw();
  };
  const form = h("form", { class: "row inline", onsubmit: submit }, field(t("ticket.units"), amount), field(t("filter.grade"), grade), field(t("provider.evidence"), evidence), button);
  return h("div", { class: "stack" }, h("p", { class: "warn" }, t("provider.waiting")), h("details", {}, h("summary", {}, t("provider.attest")), form));
}

/** Its record, asked for when somebody looks. */
function quality(site) {
  const box = h("div", { class: "stack" });
  const open = (event) => event.target.open && !box.hasChildNodes() && fillQuality(box, site.site, true);
  return h("details", { ontoggle: open }, h("summary", {}, t("quality.title")), box);
}

const earned = (data) => [
  tile(t("provider.earned"), usd(data.earned_micro ?? 0), t("provider.earnedBelow")),
  tile(t("provider.bonds"), usd(data.bonds_micro ?? 0), t("provider.bondsBelow")),
  tile(t("provider.margins"), usd(data.margins_micro ?? 0), t("provider.marginsBelow")),
  tile(t("provider.refunded"), usd(data.refunded_micro ?? 0), t("provider.refundedBelow")),
];

/** A day in one form: which day, how near the buyers, how sure; amount and limit are the ticket's. */
function offerForm(site, draw) {
  const state = { start_s: (Math.floor(now() / DAY_S) + 1) * DAY_S, hours: 24, tier: "HUB", grade: site.grade ?? "STANDARD" };
  const box = h("div");
  const days = Array.from({ length: 7 }, (_, index) => state.start_s + index * DAY_S);
  const show = async () => {
    const code = codeOf(site, state);
    put(box, h("p", { class: "muted" }, "…"));
    try {
      const product = (await get(`/products/${encodeURIComponent(code)}`)).data;
      put(box, ticket({ product, side: "offer", site: site.site, units: Math.max(1, site.issuable_units ?? 1), done: draw }).node);
    } catch (error) {
      put(box, problemBox(error));
    }
  };
  const set = (name, read) => (value) => {
    state[name] = read(value);
    show();
  };
  show();
  return h(
    "div",
    { class: "stack" },
    h(
      "div",
      { class: "grid" },
      field(t("offer.day"), select(days.map((time_s) => [time_s, day(time_s)]), state.start_s, set("start_s", Number))),
      field(t("offer.hours"), select([1, 4, 12, 24, 72, 168].map((hours) => [hours, hoursText(hours)]), state.hours, set("hours", Number))),
      field(t("filter.tier"), select(tiers().map((tier) => [tier, tierName(tier)]), state.tier, set("tier", String))),
      field(t("filter.grade"), select(grades().map((grade) => [grade, gradeName(grade)]), state.grade, set("grade", String))),
    ),
    box,
  );
}

function codeOf(site, { start_s, hours, tier, grade }) {
  const area = { METRO: site.metro?.code, HUB: site.hub?.code ?? hubOf(site.metro?.code)?.code, WIDE: 0 }[tier];
  return `${site.class}.${tier}.${area}.${grade}.${new Date(start_s * 1000).toISOString().slice(0, 13)}.${hours}h`;
}

/** Everyone's sites: what is listed here is attested, and can be sold. */
function neighbours(sites) {
  const known = new Set(classes().map((each) => each.class));
  const rows = sites.filter((site) => !known.size || known.has(site.class)).slice(0, 60);
  return h("ul", { class: "sites" }, rows.map((site) => h("li", { "data-key": site.site }, h("button", { class: "plain site", onclick: () => openQuality(site), title: t("quality.of", { site: number(site.site) }) }, h("span", {}, h("strong", {}, `${number(site.devices)} × ${site.device}`), h("small", {}, `${t("site.name", { site: number(site.site) })} · ${className(site.class)} · ${placeName(site.metro)}`)), h("span", { class: "right" }, h("span", { class: "number" }, units(site.attested_units ?? 0)), h("small", {}, say("grade", site.grade ?? "none")))))));
}
