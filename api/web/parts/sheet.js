// A sheet: what is asked in between, over the page, until it is closed.
import { h, icon } from "/web/dom.js";
import { t } from "/web/i18n.js";
import { noticesIn } from "/web/parts/notice.js";

/** Opens a dialog with a title and gives it; `closed` is called once it is gone. */
export function openSheet(title, body, closed = () => {}) {
  const dialog = h(
    "dialog",
    { class: "sheet", "aria-labelledby": "sheet-title" },
    h("header", {}, h("h2", { id: "sheet-title" }, title), h("button", { class: "plain round", "aria-label": t("close"), onclick: () => dialog.close() }, icon("close"))),
    body,
  );
  // Where it was opened may have been drawn anew meanwhile: then the focus stays with the page.
  const home = document.activeElement;
  document.body.append(dialog);
  const goHome = noticesIn(dialog);
  dialog.addEventListener("close", () => {
    goHome();
    dialog.remove();
    if (home?.isConnected) home.focus({ preventScroll: true });
    closed();
  });
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  dialog.showModal();
  return dialog;
}
