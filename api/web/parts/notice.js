// What the page tells: problems with their remedies, and short notes that go by themselves.
import { h, icon, put } from "/web/dom.js";
import { t } from "/web/i18n.js";

let area = null;

const NOTE_MS = 10_000;

/** Where notes appear; a screen reader reads them out. */
export function noticeArea() {
  area = h("div", { class: "notices", "aria-live": "polite", role: "status" });
  return area;
}

/**
 * What stands behind an open dialog can be neither read nor pressed: the notes stand in the dialog meanwhile. Gives back
 * how they go home.
 */
export function noticesIn(dialog) {
  const home = area?.parentNode;
  if (home) dialog.append(area);
  return () => home?.append(area);
}

/** Shows a note; gives back how to change it. A failure stays until it is closed, good news go by themselves. */
export function say(text, kind = "note") {
  const body = h("div", {}, text);
  const note = h("div", { class: `notice ${kind}` }, body, h("button", { class: "plain round", "aria-label": t("close"), onclick: () => note.remove() }, icon("close")));
  area?.append(note);
  const leave = () => setTimeout(() => (note.matches(":hover, :focus-within") ? leave() : note.remove()), NOTE_MS);
  const stays = (now) => now === "busy" || now === "bad";
  if (!stays(kind)) leave();
  return {
    change(next, nextKind) {
      put(body, next);
      note.className = `notice ${nextKind}`;
      if (!stays(nextKind)) leave();
    },
  };
}

/** A failure as problem and remedy, with what the API knows of it. */
export function problemBox(error, again = null) {
  const refused = error?.code === 4001;
  const detail = refused ? t("problem.rejected") : (error?.message ?? String(error));
  return h(
    "div",
    { class: "problem", role: "alert" },
    h("strong", {}, detail),
    h("p", {}, error?.remedy || (refused ? t("problem.rejectedRemedy") : "")),
    error?.fields?.length ? h("ul", {}, error.fields.map((field) => h("li", {}, `${field.pointer ?? ""} ${field.detail ?? ""}`))) : null,
    error?.request ? h("small", {}, t("problem.request", { id: error.request })) : null,
    again ? h("button", { onclick: again }, t("problem.again")) : null,
  );
}

/** Runs what a button starts: the button waits, a note follows along and ends with `done`, a failure says what to do. */
export async function follow(button, title, work, done = null) {
  // A disabled button would lose the focus: this one keeps it and does nothing meanwhile.
  if (isBusy(button)) return null;
  const note = say(t("act.working", { title }), "busy");
  button?.setAttribute("aria-disabled", "true");
  try {
    const result = await work((text) => note.change(text, "busy"));
    note.change(done ?? t("act.done", { title }), "good");
    return result;
  } catch (error) {
    note.change(problemBox(error), "bad");
    return null;
  } finally {
    button?.removeAttribute("aria-disabled");
  }
}

/** Whether a button may not be pressed now. */
export const isBusy = (button) => button?.getAttribute("aria-disabled") === "true";

export const nothing = (text, ...more) => h("p", { class: "nothing" }, text, " ", more);
