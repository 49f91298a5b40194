// Doing the same again without doing it twice at once.

const PRESSED_MS = 100;
let pressed = false;
for (const kind of ["pointerdown", "pointerup", "pointercancel"]) {
  globalThis.addEventListener?.(kind, () => (pressed = kind === "pointerdown"), { capture: true });
}

/**
 * Runs `work` soon after it was asked for, never twice at once, and once more where it was asked for meanwhile: what is
 * shown in the end is never older than the last thing that was heard. A failure is left to the next time.
 */
export function again(work, pause_ms = 150) {
  let [timer, busy, asked] = [0, false, false];
  const run = async () => {
    timer = 0;
    // A button that is pressed must still be there when it is let go.
    if (pressed) {
      timer = setTimeout(run, PRESSED_MS);
      return;
    }
    busy = true;
    asked = false;
    await Promise.resolve(work()).catch(() => null);
    busy = false;
    if (asked) ask();
  };
  const ask = () => {
    asked = true;
    if (!busy && !timer) timer = setTimeout(run, pause_ms);
  };
  ask.stop = () => clearTimeout(timer);
  return ask;
}
