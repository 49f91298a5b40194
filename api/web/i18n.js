// Every text of the page, in the reader's language. Each view brings its own with it.
import { WORDS as CORE } from "/web/words/en/core.js";

export const LANGUAGES = { en: "English", zh: "中文" };

let language = "en";
let words = CORE;
let places = {};
let said = {};
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
  said = chinese ? chinese[1].SAID : {};
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
export const sentence = (text) => said[text] ?? text;

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
