/** Keeps what the person is using when a fragment takes its place: open menus and panes, what is filled in, scrolling. */

import { keepFilledIn } from "./desk-closing.js";
import { isMenuOpen, keepMenuOpen } from "./desk-menu.js";

const SCROLLED = "#requests, #customer, .task-lists";

function keepScroll(target) {
  const boxes = [target, ...target.querySelectorAll(SCROLLED)].filter((box) => box.matches(SCROLLED) && box.scrollTop);
  if (!boxes.length) return;
  const places = boxes.map((box) => [box.id ? `#${box.id}` : `.${box.className}`, box.scrollTop]);
  queueMicrotask(() => {
    for (const [selector, top] of places) {
      const box = document.querySelector(selector);
      if (box) box.scrollTop = top;
    }
  });
}

function keep(event) {
  const { target, fragment } = event.detail;
  const coming = fragment.firstElementChild;
  if (!coming) return;
  if (coming.dataset.keep !== undefined && coming.dataset.keep === target.dataset.keep) event.detail.shouldSwap = false;
  if (target.id === "state" && isMenuOpen()) keepMenuOpen(fragment);
  if (target.id === "customer" && target.dataset.conversation === coming.dataset.conversation) {
    coming.classList.toggle("open", target.classList.contains("open"));
  }
  if (target.matches("dialog[data-closing]") && coming.matches("dialog")) keepFilledIn(target, coming);
  keepScroll(target);
}

export function keepWhatIsInUse() {
  document.addEventListener("htmx:oobBeforeSwap", keep);
}
