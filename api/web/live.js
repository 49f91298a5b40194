// What happens in the market as it happens (server-sent events): block, reorg, finalized.
import { setTime } from "/web/clock.js";

const listeners = new Set();
let source = null;
let state = "connecting";
let latest = null;

/** Calls `listener(kind, event)` for each event and for changes of "state"; gives back how to stop. */
export function listen(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export const liveState = () => state;
/** The last block that was told of, or null. */
export const latestBlock = () => latest;

/** Tells everyone who listens. */
export function tell(kind, event) {
  for (const listener of [...listeners]) {
    try {
      listener(kind, event);
    } catch (error) {
      console.error(error);
    }
  }
}

function become(next) {
  if (state === next) return;
  state = next;
  tell("state", state);
}

/** Opens the stream, and opens it again for as long as the page lives. The browser sends Last-Event-ID by itself. */
export function startLive() {
  source = new EventSource("/stream");
  source.onopen = () => become("live");
  source.onerror = () => {
    become("reconnecting");
    if (source.readyState === EventSource.CLOSED) setTimeout(startLive, 3000);
  };
  for (const kind of ["block", "reorg", "finalized"]) {
    source.addEventListener(kind, (message) => {
      const event = JSON.parse(message.data);
      if (event.time_s) setTime(event.time_s, event.block);
      if (kind === "block") latest = event.block;
      become("live");
      tell(kind, event);
    });
  }
}
