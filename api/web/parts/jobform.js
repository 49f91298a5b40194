// Jobs as people say them: one in words with a few choices, or many as CSV; both become what /dispatch/preview takes.
import { now } from "/web/clock.js";
import { h, put } from "/web/dom.js";
import { day, hoursText, referenceName, referenceOf, units } from "/web/format.js";
import { t } from "/web/i18n.js";
import { areas, grades } from "/web/market.js";
import { gradeName, placeName } from "/web/names.js";
import { convert, read } from "/web/need.js";
import { chips, field, paused, select } from "/web/parts/fields.js";

const HOUR_S = 3600;
const FILE_BYTES_MAX = 1_000_000;
const EXAMPLE = `name,units,hours,earliest,deadline,metro,latency_ms,grade,gang,price
train,8xH100 SXM,4h,tomorrow 00:00,+24h,,,standard,no,4.00 USD/H100-hour
serve,500 units,2h,tomorrow 06:00,+12h,Ohio,20,standard,no,4.00 USD/H100-hour
sweep,200 units,6h,tomorrow 00:00,+18h,,,basic,yes,
`;

/** The form; `changed()` is called when another question is to be asked. `ask()` gives {jobs} or {csv}, and the command. */
export function jobForm(wanted, changed) {
  const state = { mode: "words", gang: false };
  const soon = paused(changed, 350);
  const words = h("input", { class: "need", type: "text", id: "job", value: wanted ?? t("jobs.example"), autocomplete: "off", spellcheck: "false", oninput: soon });
  const list = h("textarea", { class: "mono", rows: "7", spellcheck: "false", oninput: soon, "aria-label": t("jobs.list") });
  const understood = h("div", { class: "understood" });
  const choices = moreFields(state, soon);
  const panes = { words: wordsPane(words, understood, choices.node, soon), csv: listPane(list, changed) };
  const box = h("div", { class: "stack" }, panes.words);
  const turn = (mode) => {
    state.mode = mode;
    put(box, panes[mode]);
    changed();
  };
  const node = h("form", { class: "buyline", onsubmit: (event) => event.preventDefault() }, chips(t("jobs.how"), [["words", t("jobs.inWords")], ["csv", t("jobs.asList")]], "words", turn), box);
  const ask = async () => {
    if (state.mode === "csv") return { csv: list.value };
    const { job, amount, area, start_s } = await inWords(words.value, choices);
    put(understood, tokens(amount, area, start_s));
    choices.unit(amount.class_id);
    return { jobs: [job] };
  };
  return { node, ask, command: () => (state.mode === "words" ? choices.command() : "") };
}

/** The job that some words and choices say. Raises a Problem. */
async function inWords(text, choices) {
  const need = read(text, now());
  const amount = await convert(need.amount || text, need.class);
  const metro = need.area && !need.area.is_hub ? need.area : null;
  const earliest = Math.ceil((need.start_s ?? now()) / HOUR_S);
  const job = { name: "job", class: amount.class, units: amount.units, hours: amount.hours, earliest, ...choices.read(amount) };
  if (metro) job.metro = metro.name;
  return { job, amount, area: metro, start_s: need.start_s };
}

function tokens(amount, area, start_s) {
  const what = amount.device ? t("buy.devices", { count: amount.count, device: amount.device, units: units(amount.units) }) : units(amount.units);
  return [h("span", { class: "token" }, what), h("span", { class: "token" }, hoursText(amount.hours)), h("span", { class: "token" }, placeName(area)), h("span", { class: "token" }, start_s ? t("buy.from", { day: day(start_s) }) : t("buy.soonest"))];
}

function wordsPane(words, understood, more, soon) {
  const use = (text) => () => {
    words.value = text;
    soon();
  };
  return [
    h("label", { class: "label", for: "job" }, t("jobs.label")),
    words,
    understood,
    h("div", { class: "chips" }, [t("jobs.example"), t("jobs.exampleNear"), t("jobs.exampleUnits")].map((text) => h("button", { type: "button", class: "chip", onclick: use(text) }, text))),
    more,
  ];
}

/** What words seldom say. */
function moreFields(state, soon) {
  const slack = select([1, 6, 24, 72].map((hours) => [hours, t("jobs.deadlineOf", { hours: hoursText(hours) })]), 24, soon);
  const price = h("input", { type: "number", min: "0", step: "any", inputmode: "decimal", oninput: soon });
  const near = h("input", { type: "number", min: "1", step: "1", inputmode: "numeric", oninput: soon });
  const grade = select(grades().map((each) => [each, gradeName(each)]), "STANDARD", soon);
  const gang = h("input", { type: "checkbox", onchange: soon });
  const command = h("input", { type: "text", class: "mono", placeholder: t("jobs.runExample"), autocomplete: "off", spellcheck: "false" });
  const priced = field(t("jobs.price"), price, t("jobs.priceHint"));
  let what = "";
  const node = h(
    "details",
    {},
    h("summary", {}, t("jobs.more")),
    h("div", { class: "grid" }, field(t("jobs.deadline"), slack), priced, field(t("filter.grade"), grade), field(t("jobs.near"), near, t("jobs.nearHint"))),
    h("div", { class: "stack top" }, h("label", { class: "check" }, gang, h("span", {}, t("jobs.gang"))), field(t("jobs.run"), command, t("jobs.runHint"))),
  );
  return {
    node,
    command: () => command.value.trim(),
    unit(classId) {
      if (what === referenceName(classId)) return;
      what = referenceName(classId);
      put(priced.querySelector("label"), `${t("jobs.price")}, ${t("unit.per", { what })}`);
    },
    read(amount) {
      const said = { deadline: `+${amount.hours + Number(slack.value)}h`, grade: grade.value, gang: gang.checked };
      if (Number(price.value) > 0) said.price = `${(Number(price.value) / referenceOf(amount.class_id)).toFixed(9)} USD/unit-hour`;
      if (Number(near.value) > 0) said.latency_ms = Math.round(Number(near.value));
      return said;
    },
  };
}

function listPane(list, changed) {
  const take = async (file) => {
    if (!file || file.size > FILE_BYTES_MAX) return;
    list.value = await file.text();
    changed();
  };
  const chooser = h("input", { type: "file", accept: ".csv,text/csv", hidden: true, onchange: () => take(chooser.files[0]) });
  const fill = () => {
    list.value = EXAMPLE;
    changed();
  };
  const over = (event) => {
    event.preventDefault();
    list.classList.toggle("over", event.type === "dragover");
    if (event.type === "drop") take(event.dataTransfer.files[0]);
  };
  for (const kind of ["dragover", "dragleave", "drop"]) list.addEventListener(kind, over);
  return [list, h("p", { class: "fine" }, t("jobs.drop")), h("div", { class: "row" }, h("button", { type: "button", onclick: () => chooser.click() }, t("jobs.choose")), h("button", { type: "button", onclick: fill }, t("jobs.fill")), chooser)];
}
