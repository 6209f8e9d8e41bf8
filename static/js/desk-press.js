/**
 * A press is not lost: neither because its button was drawn anew between down and up (the browser clicks nothing then),
 * nor because the page was still loading (early.js marked the button).
 */

const PRESSED = "button[id]:not(:disabled)";

/** The button that stands in the place of one that went while it was pressed down. */
function successor(pressed, place) {
  if (!pressed || pressed.isConnected) return null;
  const button = place?.closest(PRESSED);
  return button?.id === pressed.id ? button : null;
}

export function startPresses() {
  let pointed = null;
  let keyed = null;
  const clickLater = (button) => button && setTimeout(() => button.isConnected && button.click());
  const options = { capture: true, passive: true };
  document.addEventListener("pointerdown", ({ target, button }) => (pointed = button ? null : target.closest?.(PRESSED)), options);
  document.addEventListener("pointercancel", () => (pointed = null), options);
  document.addEventListener("pointerup", ({ clientX, clientY }) => {
    clickLater(successor(pointed, document.elementFromPoint(clientX, clientY)));
    pointed = null;
  }, options);
  document.addEventListener("keydown", ({ key, target }) => (keyed = key === " " ? (keyed ?? target.closest?.(PRESSED)) : null), options);
  document.addEventListener("keyup", ({ key }) => {
    if (key === " ") clickLater(successor(keyed, document.activeElement));
    keyed = null;
  }, options);
}

/** Click what was clicked before anybody listened. */
export function answerEarlyPresses() {
  const early = document.querySelector("[data-pressed-early]");
  document.documentElement.dataset.listening = "";
  if (!early) return;
  early.removeAttribute("data-pressed-early");
  early.click();
}
