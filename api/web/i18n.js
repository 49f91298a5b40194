// Every text of the page, in the reader's language. Each view brings its own with it.
import { WORDS as CORE } from "/web/words/en/core.js";

export const LANGUAGES = { en: "English", zh: "中文" };

let language = "en";
let words = CORE;
let places = {};
let said = {};
let patterns = [];
let kinds = {};
const wanted = new Set(["core"]);

/** Loads the language that was chosen before, or the browser's. */
export async function startLanguage() {
  const chosen = recalled("language") ?? (navigator.language?.startsWith("zh") ? "zh" : "en");
  await setLanguage(chosen);
}

export async function setLanguage(next) {
  language = next in LANGUAGES ? next : "en";
  const chinese = language === "zh" ? await Promise.all([import("/web/words/zh/places.js"), import("/web/words/zh/said.js")]) : null;
  places = chinese ? chinese[0].PLACES : {};
  ({ SAID: said, PATTERNS: patterns, KINDS: kinds } = chinese ? chinese[1] : { SAID: {}, PATTERNS: [], KINDS: {} });
  words = await wordsOf([...wanted]);
  document.documentElement.lang = language === "zh" ? "zh-Hans" : "en";
  keep("language", language);
}

/** Loads the texts of some groups, the files of words/en and words/zh, unless they are there. */
export async function needWords(groups) {
  const missing = groups.filter((group) => !wanted.has(group));
  missing.forEach((group) => wanted.add(group));
  if (missing.length) words = { ...words, ...(await wordsOf(missing)) };
}

async function wordsOf(groups) {
  const parts = await Promise.all(groups.map((group) => (group === "core" && language === "en" ? { WORDS: CORE } : import(`/web/words/${language}/${group}.js`))));
  return Object.assign({}, ...parts.map((part) => part.WORDS));
}

export const currentLanguage = () => language;
export const locale = () => (language === "zh" ? "zh-CN" : "en-GB");

/** The text of `key`, with `{name}` replaced by `values.name`. */
export function t(key, values = {}) {
  const text = words[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (mark, name) => (name in values ? String(values[name]) : mark));
}

/** The text of a word that the API uses (a state, a reason, a kind), or the word itself where nobody translated it. */
export function say(group, word) {
  return words[`${group}.${String(word).toLowerCase()}`] ?? String(word).toLowerCase().replaceAll("_", " ");
}

/** A sentence of the API's in this language; one that nobody translated stays as it came. */
export function sentence(text) {
  if (said[text]) return said[text];
  const [pattern, mine] = patterns.find(([each]) => each.test(text)) ?? [];
  return pattern ? text.replace(pattern, mine) : text;
}

/** "2.40 USD" and "300 units" as this language has them. */
const amount = (value) => (language === "zh" ? String(value).replace(/ USD$/, " 美元").replace(/ units?$/, " 单位") : String(value));

/**
 * What was refused, and what to do, in this language: {detail, remedy, behind}. Known by its code; `behind` is what the
 * API said where that is not what is shown.
 */
export function refusalWords({ contract_error: code, title, detail, remedy, shown }) {
  const values = Object.fromEntries(Object.entries(shown ?? {}).map(([name, value]) => [name, amount(value)]));
  const plain = words[`refused.${code}`] ? t(`refused.${code}`, values) : "";
  const mine = plain && !/\{\w+\}/.test(plain) ? plain.split("|") : kinds[title];
  if (!mine) return { detail: detail ?? title ?? "", remedy: remedy ?? "", behind: "" };
  const whole = mine.length > 1;
  return { detail: mine[0], remedy: whole ? mine[1] : (remedy ?? ""), behind: [detail, whole ? remedy : ""].filter(Boolean).join(" ") };
}

/** A place by the name that the standard gives it; and all names that have another in this language. */
export const place = (name) => places[name] ?? name;
export const translatedPlaces = () => places;

/** What this browser remembers; null where it keeps nothing. */
export function recalled(name) {
  try {
    return localStorage.getItem(name);
  } catch {
    return null;
  }
}

export function keep(name, value) {
  try {
    if (value === null) localStorage.removeItem(name);
    else localStorage.setItem(name, value);
  } catch {
    // It will be asked again next time.
  }
}
