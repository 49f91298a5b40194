// Showing news without disturbing the reader: what shows the same stays the same element, so that nothing moves under
// the pointer, loses the focus, or forgets what was typed into it.
import { tickIn } from "/web/clock.js";
import { put } from "/web/dom.js";

/** What somebody opens and types into: with a key, it stays while its words do. */
const TYPED = "form, details";
const FOCUSABLE = "a[href], button, input, select, textarea, summary, [tabindex]";

/**
 * Like `put`, for what is shown again and again. Elements with a `data-key` are found again by it; one that shows
 * anything else than before is replaced as a whole, unless it holds keyed elements itself: so a listener never serves
 * another row than the one it was made for.
 */
export function renew(element, ...children) {
  const next = put(element.cloneNode(false), ...children);
  tickIn(next);
  tickIn(element);
  match(element, next);
  return element;
}

const keyOf = (node) => node.dataset?.key ?? null;
const holdsKeys = (node) => node.nodeType === Node.ELEMENT_NODE && node.querySelector("[data-key]") !== null;
const alike = (one, other) => one.cloneNode(false).isEqualNode(other.cloneNode(false));

function match(old, next) {
  const keyed = new Map([...old.children].map((node) => [keyOf(node), node]));
  let place = old.firstChild;
  for (const wanted of [...next.childNodes]) {
    const key = keyOf(wanted);
    const twin = key === null ? (place && keyOf(place) === null ? place : null) : (keyed.get(key) ?? null);
    const kept = twin && keep(twin, wanted) ? twin : wanted;
    if (kept === place) place = place.nextSibling;
    else {
      if (twin && twin !== kept) {
        if (twin === place) place = place.nextSibling;
        exchange(twin, wanted);
      }
      if (kept.parentNode !== old || kept.nextSibling !== place) old.insertBefore(kept, place);
    }
  }
  while (place) {
    const gone = place;
    place = place.nextSibling;
    gone.remove();
  }
}

/** Whether the old node shows what the new one does, after its keyed parts were matched. */
function keep(twin, wanted) {
  if (twin.isEqualNode(wanted)) return true;
  if (keyOf(wanted) !== null && wanted.matches(TYPED) && twin.textContent === wanted.textContent) return true;
  if (!holdsKeys(wanted) || !alike(twin, wanted)) return false;
  match(twin, wanted);
  return true;
}

/** The new node stands where the old one did, with the focus where it was. */
function exchange(twin, wanted) {
  const at = twin.contains?.(document.activeElement) ? [twin, ...twin.querySelectorAll(FOCUSABLE)].indexOf(document.activeElement) : -1;
  twin.replaceWith(wanted);
  if (at >= 0) [wanted, ...wanted.querySelectorAll(FOCUSABLE)][at]?.focus({ preventScroll: true });
}
