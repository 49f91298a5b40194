// What the page tells: problems with their remedies, and short notes that go by themselves.
import { h, icon, put } from "/web/dom.js";
import { currentLanguage, refusalWords, t } from "/web/i18n.js";

let area = null;

const NOTE_MS = 10_000;

/** Where notes appear; a screen reader reads them out. They outlive the frame that shows them. */
export function noticeArea() {
  area ??= h("div", { class: "notices", "aria-live": "polite", role: "status" });
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

/** What the API refuses, in the reader's language; its own sentence stands behind it. */
export function refusalLines(refusal) {
  const { detail, remedy, behind } = refusalWords(refusal);
  // In another language the exact words may be looked for; in the same one they are there for who wants them.
  const exact = behind && (currentLanguage() === "en" ? null : h("small", { lang: "en" }, behind));
  return [h("strong", { title: behind || null }, detail), h("p", {}, remedy), exact];
}

/** One part of a request that cannot be read; of a table of jobs, its line and column. */
function fault({ pointer = "", detail = "" }) {
  const [, line, column] = /^\/jobs\/(\d+)\/(.+)$/.exec(pointer) ?? [];
  return line ? t("problem.cell", { line, column, why: detail }) : `${pointer.split("/").at(-1)}: ${detail}`;
}

/** A failure as problem and remedy, with what the API knows of it. */
export function problemBox(error, again = null) {
  const refused = error?.code === 4001;
  const said = refused ? { detail: t("problem.rejected"), remedy: t("problem.rejectedRemedy") } : { detail: error?.message ?? String(error), remedy: error?.remedy, ...error?.refusal };
  if (error?.title === "InputError" && error.fields?.length) Object.assign(said, { title: "", detail: t("problem.fields"), remedy: "" });
  // What stands in a list below need not stand above it too.
  if (error?.title === "BadJobs" && error.fields?.length) Object.assign(said, { title: "", detail: t("problem.jobs", { count: error.fields.length }), remedy: t("problem.jobsRemedy") });
  return h(
    "div",
    { class: "problem", role: "alert" },
    refusalLines(said),
    error?.fields?.length ? h("ul", {}, error.fields.map((field) => h("li", {}, fault(field)))) : null,
    error?.request && !(error.status < 500) ? h("small", {}, t("problem.request", { id: error.request })) : null,
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
