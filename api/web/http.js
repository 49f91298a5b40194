// Asks the API. An answer is {data, block, block_hash, time_s, next}; a refusal is thrown as a Problem.
import { setTime } from "/web/clock.js";
import { t } from "/web/i18n.js";

/** A refusal with its problem and its remedy (RFC 9457). */
export class Problem extends Error {
  constructor(body, status = 0) {
    super(body.detail ?? body.title ?? t("problem.unknown"));
    this.title = body.title ?? t("problem.title");
    this.remedy = body.remedy ?? "";
    /** What was refused, for refusalWords. */
    this.refusal = body;
    this.status = body.status ?? status;
    this.fields = body.errors ?? [];
    this.request = body.request_id ?? "";
    this.shown = body.shown ?? {};
    this.shortBy = body.short_by_micro ?? null;
  }
}

export async function get(path, options = {}) {
  const answer = await ask(path, { headers: header(options) });
  if (answer.time_s) setTime(answer.time_s, answer.block);
  return answer;
}

export function post(path, body, options = {}) {
  const headers = { ...header(options), "Content-Type": "application/json" };
  if (options.once) headers["Idempotency-Key"] = options.once;
  return ask(path, { method: "POST", headers, body: JSON.stringify(body) });
}

/** Sends a text as it is. */
export function put(path, text, options = {}) {
  return ask(path, { method: "PUT", headers: { ...header(options), "Content-Type": "application/json" }, body: text });
}

export function remove(path, options = {}) {
  return ask(path, { method: "DELETE", headers: header(options) });
}

/** All pages of a list, up to `most` rows. */
export async function all(path, most = 500, options = {}) {
  const rows = [];
  let cursor = null;
  let answer = null;
  do {
    const mark = path.includes("?") ? "&" : "?";
    answer = await get(cursor ? `${path}${mark}cursor=${encodeURIComponent(cursor)}` : path, options);
    rows.push(...answer.data);
    cursor = answer.next;
  } while (cursor && rows.length < most);
  return { ...answer, data: rows };
}

function header({ key }) {
  return key ? { Accept: "application/json", Authorization: `Bearer ${key}` } : { Accept: "application/json" };
}

async function ask(path, request) {
  let response;
  try {
    response = await fetch(path, request);
  } catch {
    throw new Problem({ title: t("problem.offline"), detail: t("problem.offlineDetail"), remedy: t("problem.offlineRemedy") });
  }
  const text = await response.text();
  let body = {};
  try {
    body = text ? JSON.parse(text) : {};
  } catch {
    body = { detail: t("problem.unreadable", { status: response.status }), remedy: t("problem.tryAgain") };
    throw new Problem(body, response.status);
  }
  if (!response.ok) throw new Problem(body, response.status);
  // A write answers with its facts alone, a read with its envelope.
  return body;
}

/** What an answer says, whether it came in an envelope or bare. */
export const facts = (answer) => (answer && "data" in answer && "block" in answer ? answer.data : answer);

export const query = (values) => {
  const kept = Object.entries(values).filter(([, value]) => value !== null && value !== undefined && value !== "");
  return kept.length ? `?${new URLSearchParams(kept)}` : "";
};
