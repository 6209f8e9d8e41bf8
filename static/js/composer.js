/**
 * The compose box: Enter sends, Shift+Enter breaks the line, and what is typed stays over a reload.
 *
 * openComposer(form, {outbox, conversation, scope, tools, onSend(entry), onTyping()})
 *   -> {form, field, text, isNote, insert(text), putBack(text, {note}), focus(), submit(), refuse(sentence),
 *       setNote(isNote), showPane(pane, opener), closePane(), extend(tool)}
 *
 * The form has a textarea, and by data attributes the sentences of what it refuses before sending: data-limit with
 * data-limit-sentence (nothing is cut off silently), data-reserved with data-reserved-sentence (characters that this
 * side may not write). Elements [data-error] and [data-counter] show them. Without this script the form posts plainly.
 *
 * `tools` are functions that get the composer: emoji.js, desk-note.js, … Each finds its own elements in the form and
 * calls extend() with what it wants to know: fill(post) completes {text, note, files} before sending, check(post)
 * answers a sentence when it must not be sent, sent(entry) hears that it went, changed(event) that the text changed
 * (without an event: not by typing), noted(isNote) that the box changed between reply and note, key(event) answers
 * true when it took a key, hold() answers true when sending must wait (the tool calls submit() then), returned(entry)
 * gets a message that comes back for editing.
 */

import { draftName, readDraft, writeDraft } from "./drafts.js";

const COUNT_FROM = 0.8;

class Composer {
  #options;
  #draft;
  #limit;
  #tools = [];
  #pane = null;
  #opener = null;
  #before = "";
  #pressed = (event) => this.#leave(event.target);

  constructor(form, options) {
    this.form = form;
    this.field = form.querySelector("textarea");
    this.isNote = false;
    this.#options = options;
    this.#draft = draftName(options.scope, options.conversation);
    this.#limit = Number(form.dataset.limit) || 4000;
    this.field.removeAttribute("required"); // the browser's own bubble would speak before our sentence
    this.field.addEventListener("input", (event) => this.#typed(event));
    this.field.addEventListener("keydown", (event) => this.#key(event));
    form.addEventListener("keydown", (event) => this.#escape(event));
    form.addEventListener("focusout", (event) => this.#leave(event.relatedTarget));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.closePane();
      this.focus();
      this.submit();
    });
    for (const tool of options.tools ?? []) tool(this);
    const draft = readDraft(this.#draft);
    this.field.value ||= draft.text;
    this.#before = this.field.value;
    if (draft.note) this.setNote(true);
    this.#typed();
  }

  /** What is typed and not sent. */
  get text() {
    return this.field.value;
  }

  extend(tool) {
    this.#tools.push(tool);
  }

  /** Put a text where the cursor is, as if it had been typed: it can be undone. */
  insert(text) {
    this.focus();
    if (document.execCommand("insertText", false, text)) return;
    this.field.setRangeText(text, this.field.selectionStart, this.field.selectionEnd, "end");
    this.#typed();
  }

  /** Take a text back for editing; what is being typed is kept below it. A note never becomes a reply by that. */
  putBack(text, entry = {}) {
    if (entry.note) this.setNote(true);
    this.#tell("returned", entry);
    this.field.value = [text, this.field.value].filter(Boolean).join("\n");
    this.#typed();
    this.focus();
    return true;
  }

  focus() {
    this.field.focus();
  }

  /** Say why something cannot be sent, until something is typed; "" takes it back. */
  refuse(sentence) {
    const place = this.form.querySelector("[data-error]");
    if (!place) return;
    if (place.textContent !== sentence) place.textContent = sentence;
    place.hidden = !sentence;
    if (sentence) this.field.setAttribute("aria-invalid", "true");
    else this.field.removeAttribute("aria-invalid");
  }

  /** Send what stands in the box; also when another conversation stands on the page by now. */
  submit() {
    if (this.#tools.some((tool) => tool.hold?.())) return;
    const post = { text: this.text.trim(), note: this.isNote, files: [] };
    this.#tell("fill", post);
    const sentence = this.#problem(post);
    if (sentence) return this.refuse(sentence);
    if (!post.text && !post.files.length) return;
    const { text, note, files } = post;
    const entry = this.#options.outbox.add(this.#options.conversation, text, { note, files });
    this.field.value = "";
    this.#typed();
    this.#tell("sent", entry);
    if (this.form.isConnected) this.#options.onSend?.(entry);
  }

  /** Write for colleagues only, or to the customer. */
  setNote(isNote) {
    this.isNote = isNote;
    this.form.classList.toggle("noting", isNote);
    this.#tell("noted", isNote);
    this.#typed();
  }

  /** Show what a tool opens; one at a time. Escape closes it and gives the focus back to the text. */
  showPane(pane, opener) {
    this.closePane();
    this.#pane = pane;
    this.#opener = opener;
    pane.hidden = false;
    opener.setAttribute("aria-expanded", "true");
    document.addEventListener("pointerdown", this.#pressed);
  }

  closePane() {
    if (!this.#pane) return;
    const pane = this.#pane;
    this.#pane = null;
    pane.hidden = true;
    this.#opener.setAttribute("aria-expanded", "false");
    document.removeEventListener("pointerdown", this.#pressed);
    pane.dispatchEvent(new CustomEvent("closed"));
  }

  #tell(what, ...values) {
    for (const tool of this.#tools) tool[what]?.(...values);
  }

  #key(event) {
    // While an input method composes, Enter chooses a word (keyCode 229: Safari ends the composition first).
    if (event.isComposing || event.keyCode === 229) return;
    if (this.#tools.some((tool) => tool.key?.(event))) return event.preventDefault();
    if (event.key !== "Enter" || event.shiftKey) return;
    event.preventDefault();
    if (!event.repeat) this.form.requestSubmit();
  }

  #escape(event) {
    if (event.key !== "Escape" || !this.#pane) return;
    event.preventDefault();
    event.stopPropagation();
    this.closePane();
    this.focus();
  }

  /** Whoever goes on elsewhere is done with what is open. */
  #leave(target) {
    if (!this.#pane || !target || this.#pane.contains(target) || this.#opener.contains(target)) return;
    this.closePane();
  }

  #typed(event) {
    this.#tell("changed", event);
    writeDraft(this.#draft, { text: this.text, note: this.isNote });
    this.#fit();
    this.#count();
    this.refuse("");
    const hasChanged = this.text !== this.#before;
    this.#before = this.text;
    if (event && hasChanged && this.text.trim() && !this.isNote) this.#options.onTyping?.();
  }

  #fit() {
    if (CSS.supports("field-sizing", "content")) return;
    this.field.style.height = "auto";
    this.field.style.height = `${this.field.scrollHeight}px`;
  }

  #count() {
    const counter = this.form.querySelector("[data-counter]");
    if (!counter) return;
    const length = lengthOf(this.text.trim());
    counter.hidden = length < this.#limit * COUNT_FROM;
    counter.textContent = `${length} / ${this.#limit}`;
    counter.classList.toggle("over", length > this.#limit);
  }

  #problem(post) {
    const { reserved, reservedSentence, limitSentence } = this.form.dataset;
    if (lengthOf(post.text) > this.#limit) return limitSentence;
    for (const tool of this.#tools) {
      const sentence = tool.check?.(post);
      if (sentence) return sentence;
    }
    const hasReserved = !post.note && reserved && [...reserved].some((character) => post.text.includes(character));
    return hasReserved ? reservedSentence : "";
  }
}

/** Characters as the server counts them: an emoji is one, not two. */
function lengthOf(text) {
  return [...text].length;
}

export function openComposer(form, options) {
  return new Composer(form, options);
}
