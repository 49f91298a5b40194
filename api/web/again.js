// Doing the same again without doing it twice at once.

const PRESSED_MS = 100;
// A button is let go sooner; of a list that opens over the page nobody may say that it was.
const PRESSED_MS_MAX = 2_000;
const RETRY_MS = { least: 1_000, most: 30_000 };
let pressed_ms = -Infinity;
for (const kind of ["pointerdown", "pointerup", "pointercancel"]) {
  globalThis.addEventListener?.(kind, () => (pressed_ms = kind === "pointerdown" ? performance.now() : -Infinity), { capture: true });
}

/** Whether what failed may work a moment later: nobody answered, or somebody was busy. */
const passes = (error) => !(error?.status >= 400 && error.status < 500) || error.status === 429;

/**
 * Runs `work` soon after it was asked for, never twice at once, and once more where it was asked for meanwhile: what is
 * shown in the end is never older than the last thing that was heard, and a slow answer never takes the place of a newer
 * one. What fails for the moment is tried again, later each time. `.now()` waits for a run that began after it was
 * called; `.stop()` ends it all.
 */
export function again(work, pause_ms = 150) {
  let [timer, busy, asked, over, rests, retry_ms] = [0, false, false, false, false, 0];
  const waiting = [];
  const later = (wait_ms) => {
    clearTimeout(timer);
    timer = over ? 0 : setTimeout(run, wait_ms);
  };
  const run = async () => {
    // A button that is pressed must still be there when it is let go.
    if (performance.now() - pressed_ms < PRESSED_MS_MAX) return later(PRESSED_MS);
    [timer, busy, asked, rests] = [0, true, false, false];
    const served = waiting.splice(0);
    const failed = await Promise.resolve().then(work).then(() => null, (error) => error ?? new Error());
    busy = false;
    served.forEach((tell) => tell());
    retry_ms = failed && passes(failed) ? Math.min(RETRY_MS.most, 2 * retry_ms || RETRY_MS.least) : 0;
    if (waiting.length) return later(0);
    if (asked) return later(pause_ms);
    rests = retry_ms > 0;
    return rests ? later(retry_ms) : null;
  };
  const ask = () => {
    asked = true;
    if (busy || (timer && !rests)) return;
    rests = false;
    later(pause_ms);
  };
  ask.now = () =>
    new Promise((resolve) => {
      if (over) return resolve();
      waiting.push(resolve);
      return busy || later(0);
    });
  ask.stop = () => {
    over = true;
    clearTimeout(timer);
    waiting.splice(0).forEach((tell) => tell());
  };
  return ask;
}
