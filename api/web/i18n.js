// Every text of the page, in the reader's language.
import { EN } from "/web/words/en.js";

export const LANGUAGES = { en: "English", zh: "中文" };

let language = "en";
let words = EN;
let places = {};

/** Loads the language that was chosen before, or the browser's. */
export async function startLanguage() {
  const chosen = recalled("language") ?? (navigator.language?.startsWith("zh") ? "zh" : "en");
  await setLanguage(chosen);
}

export async function setLanguage(next) {
  language = next in LANGUAGES ? next : "en";
  const chinese = language === "zh" ? await Promise.all([import("/web/words/zh.js"), import("/web/words/places.js")]) : null;
  words = chinese ? chinese[0].ZH : EN;
  places = chinese ? chinese[1].PLACES : {};
  document.documentElement.lang = language === "zh" ? "zh-Hans" : "en";
  keep("language", language);
}

export const currentLanguage = () => language;
export const locale = () => (language === "zh" ? "zh-CN" : "en-GB");

/** The text of `key`, with `{name}` replaced by `values.name`. */
export function t(key, values = {}) {
  const text = words[key] ?? EN[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (mark, name) => (name in values ? String(values[name]) : mark));
}

/** The text of a word that the API uses (a state, a reason, a kind), or the word itself where nobody translated it. */
export function say(group, word) {
  const key = `${group}.${String(word).toLowerCase()}`;
  return words[key] ?? EN[key] ?? String(word).toLowerCase().replaceAll("_", " ");
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
