// The market's time: that of the latest block, moved on by this machine's clock. And all countdowns, moved together.
import { countdown } from "/web/format.js";

let blockTime = Math.floor(Date.now() / 1000);
let seenAt = performance.now();
let latest = -1;

export function setTime(time_s, block = latest) {
  if (block < latest) return;
  latest = block;
  blockTime = time_s;
  seenAt = performance.now();
}

/** Waits until what the API shows includes a block, so that what is read next shows what was just done. */
export async function seen(block, wait_ms = 5000) {
  const until = performance.now() + wait_ms;
  while (latest < block && performance.now() < until) await new Promise((resolve) => setTimeout(resolve, 50));
}

export const now = () => blockTime + Math.floor((performance.now() - seenAt) / 1000);

/** Shows the time left until `data-until` in every element of `root` that has one. */
export function tickIn(root) {
  const time = now();
  for (const element of root.querySelectorAll("[data-until]")) {
    const left = Number(element.dataset.until) - time;
    const text = left <= 0 && element.dataset.then ? element.dataset.then : countdown(left);
    if (element.textContent !== text) element.textContent = text;
    element.classList.toggle("soon", left >= 0 && left <= 10);
    const whole = Number(element.dataset.whole);
    if (whole) element.style.setProperty("--left", String(Math.max(0, Math.min(1, left / whole))));
  }
}

export const tickNow = () => tickIn(document);

export function startClock() {
  tickNow();
  setInterval(tickNow, 1000);
}
