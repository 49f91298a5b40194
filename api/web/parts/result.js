// What became of a leased job: its exit code, its log, its files; shown to the lease's two sides alone.
import { h, put } from "/web/dom.js";
import { number } from "/web/format.js";
import { facts, get } from "/web/http.js";
import { t } from "/web/i18n.js";
import { copyButton } from "/web/parts/fields.js";
import { nothing, problemBox } from "/web/parts/notice.js";
import { openSheet } from "/web/parts/sheet.js";
import { bearer } from "/web/session.js";

/** Opens a sheet with a lease's result; a wallet signs in first. */
export async function openResult(lease) {
  const body = h("div", { class: "stack" }, h("p", { class: "muted" }, t("result.asking")));
  openSheet(t("result.title", { lease: number(lease) }), body);
  try {
    put(body, shown(facts(await get(`/leases/${lease}/result`, { key: await bearer() }))));
  } catch (error) {
    put(body, error.status === 404 ? nothing(t("result.none")) : problemBox(error));
  }
}

function shown({ exit_code: code, log, files }) {
  const names = Object.keys(files ?? {});
  return [
    h("p", { class: code === 0 ? "good" : "bad" }, code === null ? t("result.noExit") : t("result.exit", { code })),
    h("div", { class: "row spread" }, h("h3", {}, t("result.log")), copyButton(log ?? "")),
    h("pre", { class: "log", tabindex: "0" }, log || t("result.silent")),
    names.length ? [h("h3", {}, t("result.files")), h("ul", { class: "plainlist" }, names.map((name) => h("li", {}, fileLink(name, files[name]))))] : null,
  ];
}

/** A file that is saved and never opened here: it is a stranger's. */
function fileLink(name, base64) {
  const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  const address = URL.createObjectURL(new Blob([bytes], { type: "application/octet-stream" }));
  return h("a", { href: address, download: name.split("/").at(-1) }, name, " ", h("small", {}, t("result.bytes", { count: number(bytes.length) })));
}
