/** Keeps what the person is using when a fragment takes its place: open menus and panes, what is filled in, scrolling. */

import { keepFilledIn } from "./desk-closing.js";
import { isMenuOpen, keepMenuOpen } from "./desk-menu.js";
import { keepShown } from "./desk-requests.js";

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

/** What had the focus may go (a request is over): then it goes to the conversation, not to the page's beginning. */
function keepFocus(target, coming) {
  const focused = document.activeElement;
  if (!target.contains(focused) || target === focused) return;
  if (focused.id && coming.querySelector(`#${CSS.escape(focused.id)}`)) return;
  queueMicrotask(() => {
    if (document.activeElement === document.body) document.getElementById("conversation").focus({ preventScroll: true });
  });
}

/** The details of one customer never stand beside the conversation of another; of the same, they stay open. */
function keepCustomer(event, coming) {
  const { target } = event.detail;
  const { conversation } = coming.dataset;
  if (conversation !== document.getElementById("conversation").dataset.conversation) event.detail.shouldSwap = false;
  if (conversation === target.dataset.conversation) coming.classList.toggle("open", target.classList.contains("open"));
}

function keep(event) {
  const { target, fragment } = event.detail;
  const coming = fragment.firstElementChild;
  if (!coming) return;
  if (coming.dataset.keep !== undefined && coming.dataset.keep === target.dataset.keep) event.detail.shouldSwap = false;
  if (target.id === "state" && isMenuOpen()) keepMenuOpen(fragment);
  if (target.id === "customer") keepCustomer(event, coming);
  if (target.matches("dialog[data-closing]") && coming.matches("dialog")) keepFilledIn(target, coming);
  keepShown(target, fragment);
  keepScroll(target);
  keepFocus(target, coming);
}

export function keepWhatIsInUse() {
  document.addEventListener("htmx:oobBeforeSwap", keep);
}
