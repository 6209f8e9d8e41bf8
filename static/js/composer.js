/**
 * The compose box: Enter sends, Shift+Enter breaks the line, and what is typed stays over a reload.
 *
 * openComposer(form, {outbox, conversation, scope, onSend(entry)}) -> {text, putBack(text), focus()}
 *
 * The form has a textarea, and by data attributes the sentences of what it refuses before sending: data-limit with
 * data-limit-sentence (nothing is cut off silently), data-reserved with data-reserved-sentence (characters that this
 * side may not write). Elements [data-error] and [data-counter] show them. Without this script the form posts plainly.
 */

const COUNT_FROM = 0.8;

class Composer {
  #form;
  #field;
  #options;
  #draft;
  #limit;

  constructor(form, options) {
    this.#form = form;
    this.#field = form.querySelector("textarea");
    this.#options = options;
    this.#draft = `livedesk.draft.${options.scope}.${options.conversation}`;
    this.#limit = Number(form.dataset.limit) || 4000;
    this.#field.removeAttribute("required"); // the browser's own bubble would speak before our sentence
    this.#field.value ||= readDraft(this.#draft);
    this.#field.addEventListener("input", () => this.#typed());
    this.#field.addEventListener("keydown", (event) => this.#key(event));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#send();
    });
    this.#typed();
  }

  /** What is typed and not sent. */
  get text() {
    return this.#field.value;
  }

  /** Take a text back for editing; what is being typed is kept below it. */
  putBack(text) {
    this.#field.value = [text, this.#field.value].filter(Boolean).join("\n");
    this.#typed();
    this.focus();
    return true;
  }

  focus() {
    this.#field.focus();
  }

  #key(event) {
    // While an input method composes, Enter chooses a word (keyCode 229: Safari ends the composition first).
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
    event.preventDefault();
    if (!event.repeat) this.#form.requestSubmit();
  }

  #typed() {
    writeDraft(this.#draft, this.#field.value);
    this.#fit();
    this.#count();
    this.#refuse("");
  }

  #fit() {
    if (CSS.supports("field-sizing", "content")) return;
    this.#field.style.height = "auto";
    this.#field.style.height = `${this.#field.scrollHeight}px`;
  }

  #count() {
    const counter = this.#form.querySelector("[data-counter]");
    if (!counter) return;
    const length = lengthOf(this.#field.value.trim());
    counter.hidden = length < this.#limit * COUNT_FROM;
    counter.textContent = `${length} / ${this.#limit}`;
    counter.classList.toggle("over", length > this.#limit);
  }

  #problem(text) {
    const { reserved, reservedSentence, limitSentence } = this.#form.dataset;
    if (lengthOf(text) > this.#limit) return limitSentence;
    if (reserved && [...reserved].some((character) => text.includes(character))) return reservedSentence;
    return "";
  }

  #refuse(sentence) {
    const place = this.#form.querySelector("[data-error]");
    if (!place) return;
    if (place.textContent !== sentence) place.textContent = sentence;
    place.hidden = !sentence;
    if (sentence) this.#field.setAttribute("aria-invalid", "true");
    else this.#field.removeAttribute("aria-invalid");
  }

  #send() {
    const text = this.#field.value.trim();
    if (!text) return this.focus();
    const sentence = this.#problem(text);
    if (sentence) {
      this.#refuse(sentence);
      return this.focus();
    }
    const entry = this.#options.outbox.add(this.#options.conversation, text);
    this.#field.value = "";
    this.#typed();
    this.focus();
    this.#options.onSend?.(entry);
  }
}

/** Characters as the server counts them: an emoji is one, not two. */
function lengthOf(text) {
  return [...text].length;
}

// Of this tab alone: two tabs may hold two different beginnings.
function readDraft(name) {
  try {
    return sessionStorage.getItem(name) ?? "";
  } catch {
    return "";
  }
}

function writeDraft(name, text) {
  try {
    if (text) sessionStorage.setItem(name, text);
    else sessionStorage.removeItem(name);
  } catch {
    // Without storage the text stands in the box only.
  }
}

export function openComposer(form, options) {
  return new Composer(form, options);
}
