/** The conversation that is open: its thread, its compose box, and telling the server what was really seen of it. */

import { openComposer } from "./composer.js";
import { openThread } from "./thread.js";

const NEAR_THE_END = 48;
const SEEN_EVERY = 1_000;

class OpenConversation {
  #options;
  #box;
  #thread = null;
  #form = null;
  #composer = null;
  #seen = 0;
  #seenTimer = 0;

  constructor(element, options) {
    this.element = element;
    this.id = element.dataset.conversation ?? "";
    this.name = element.dataset.name ?? "";
    this.wasListed = false;
    this.#options = options;
    this.#openThread(element.querySelector("[data-thread]"));
  }

  /** The last number shown. */
  get last() {
    return this.#thread?.last ?? 0;
  }

  /** Add what a frame brought, if it is for this conversation. */
  take(frame) {
    if (String(frame.conversation) !== this.id) return;
    this.#thread.append(frame.html, frame.last);
    this.seen();
  }

  showPending(entry) {
    if (this.#thread && entry.conversation === this.id) this.#thread.showPending(entry);
  }

  /** Take hold of the compose box that stands there now; it comes and goes with the right to write. */
  settle() {
    const form = this.element.querySelector("[data-composer]");
    if (form === this.#form) return;
    this.#form = form;
    this.#composer = form && openComposer(form, { ...this.#options, conversation: this.id, onSend: () => this.#thread.toEnd() });
  }

  /** Where the person goes on: the compose box, or the conversation itself on screens whose keyboard would cover it. */
  focus() {
    if (this.#composer && !window.matchMedia("(pointer: coarse)").matches) this.#composer.focus();
    else this.element.focus();
  }

  /** Tell the server how far the person has seen, at most once a second. */
  seen() {
    if (!this.#thread || this.#seenTimer || !this.#isSeen()) return;
    const number = this.last;
    if (!this.#options.send({ do: "seen", conversation: Number(this.id), number })) return;
    this.#seen = number;
    this.#seenTimer = setTimeout(() => {
      this.#seenTimer = 0;
      this.seen();
    }, SEEN_EVERY);
  }

  close() {
    clearTimeout(this.#seenTimer);
    this.#thread?.close();
    this.#thread = null;
  }

  #openThread(list) {
    if (!list) return;
    const { outbox } = this.#options;
    this.#thread = openThread(list, { outbox, conversation: this.id, onEdit: (text) => this.#putBack(text) });
    this.#box = list.closest(".thread");
    this.#box.addEventListener("scroll", () => this.seen(), { passive: true });
  }

  #putBack(text) {
    if (!this.#composer) return false;
    this.#composer.putBack(text);
    return true;
  }

  #isSeen() {
    const isInFront = document.visibilityState === "visible" && document.hasFocus();
    const { scrollHeight, scrollTop, clientHeight } = this.#box;
    return isInFront && this.last > this.#seen && scrollHeight - scrollTop - clientHeight < NEAR_THE_END;
  }
}

export function openConversation(element, options) {
  return new OpenConversation(element, options);
}
