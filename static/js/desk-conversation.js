/** The conversation that is open: its thread, its compose box, and telling the server what was really seen of it. */

import { startAttaching } from "./attach.js";
import { openComposer } from "./composer.js";
import { boxWent } from "./desk-late-keys.js";
import { startNote } from "./desk-note.js";
import { startTemplates } from "./desk-templates.js";
import { draftName, readDraft } from "./drafts.js";
import { startEmoji } from "./emoji.js";
import { createReceipts, isInFront } from "./marks.js";
import { startParameters } from "./parameters.js";
import { openThread } from "./thread.js";
import { createTyping } from "./typing.js";

const TOOLS = [startAttaching, startEmoji, startTemplates, startParameters, startNote];

class OpenConversation {
  #options;
  #thread = null;
  #form; // not looked for yet
  #composer = null;
  #receipts = null;

  constructor(element, options) {
    this.element = element;
    this.id = element.dataset.conversation ?? "";
    this.name = element.dataset.name ?? "";
    this.mayBeOnItsWay = true; // its row: it was accepted this moment
    this.#options = options;
    this.#openThread(element.querySelector("[data-thread]"));
  }

  /** The last number shown. */
  get last() {
    return this.#thread?.last ?? 0;
  }

  /** What is written here and not sent: in the box, or, when there is none, as the box kept it. */
  get unsent() {
    return this.#composer?.text ?? readDraft(draftName(this.#options.scope, this.id)).text;
  }

  /** Whether the agent has the end of the thread before his eyes. */
  get isSeen() {
    return Boolean(this.#thread) && isInFront() && this.#thread.isAtEnd;
  }

  /** Add what a frame brought, if it is for this conversation. */
  take(frame) {
    if (String(frame.conversation) !== this.id) return;
    this.#thread.append(frame.html, frame.last);
    this.seen();
  }

  /** How far the visitor has the thread. */
  marked(frame) {
    if (String(frame.conversation) === this.id) this.#thread?.marked(frame);
  }

  /** Somebody is writing; false when it is in another conversation. */
  typing(frame) {
    if (String(frame.conversation) !== this.id) return false;
    if (this.#composer) this.#thread?.typing(frame.who);
    return true;
  }

  showPending(entry) {
    if (this.#thread && entry.conversation === this.id) this.#thread.showPending(entry);
  }

  /** Take hold of the compose box that stands there now; it comes and goes with the right to write. */
  settle() {
    const form = this.element.querySelector("[data-composer]");
    if (form === this.#form) return;
    if (!form) {
      this.#showUnsent();
      this.#thread?.quiet();
    }
    this.#form = form;
    const onTyping = createTyping(() => this.#options.send({ do: "typing", conversation: Number(this.id) }));
    const onSend = () => this.#thread.toEnd();
    const mine = { conversation: this.id, tools: TOOLS, onSend, onTyping };
    this.#composer = form && openComposer(form, { ...this.#options, ...mine });
  }

  /** Where the person goes on: the compose box, or the conversation itself on screens whose keyboard would cover it. */
  focus() {
    if (this.#composer && !window.matchMedia("(pointer: coarse)").matches) this.#composer.focus();
    else this.element.focus();
  }

  /** Tell the server what this page has and what the person saw of it. */
  seen() {
    this.#receipts?.tell();
  }

  /** The connection is a new one: what was told may be lost with the last. */
  reconnected() {
    this.#receipts?.again();
  }

  close() {
    this.#receipts?.close();
    this.#receipts = null;
    this.#thread?.close();
    this.#thread = null;
  }

  /** Nobody can write here any more, maybe in the middle of a sentence: it can still be copied. */
  #showUnsent() {
    if (this.#composer) boxWent();
    const place = this.element.querySelector("[data-unsent]");
    if (!place || !this.unsent.trim()) return;
    place.querySelector("textarea").value = this.unsent;
    place.hidden = false;
  }

  #openThread(list) {
    if (!list) return;
    const { outbox, send } = this.#options;
    const onEdit = (text, entry) => this.#putBack(text, entry);
    this.#thread = openThread(list, { outbox, conversation: this.id, onEdit });
    this.#receipts = createReceipts({
      send: (what, number) => send({ do: what, conversation: Number(this.id), number }),
      last: () => this.last,
      isSeen: () => this.isSeen,
    });
    list.closest(".thread").addEventListener("scroll", () => this.seen(), { passive: true });
  }

  #putBack(text, entry) {
    if (!this.#composer) return false;
    return this.#composer.putBack(text, entry);
  }
}

export function openConversation(element, options) {
  return new OpenConversation(element, options);
}
