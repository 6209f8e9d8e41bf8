/**
 * Sent, Delivered, Read.
 *
 * openMarks(list) -> {take({delivered, read}), show()}: the words under one's own messages, from data-delivered and
 * data-read of the thread's <ol> and from `marks` frames, never back. In a run of own messages that are all as far, the
 * last one alone shows the word.
 * createReceipts({send(what, number), last(), isSeen()}) -> {tell(), again(), close()}: what this page has and what its
 * person saw, told to the server at most once a second, and, after `again`, even if it was told before.
 */

const TELL_EVERY = 1_000;

class Marks {
  #list;
  #delivered;
  #read;

  constructor(list) {
    this.#list = list;
    this.#delivered = Number(list.dataset.delivered) || 0;
    this.#read = Number(list.dataset.read) || 0;
  }

  take({ delivered, read }) {
    this.#delivered = Math.max(this.#delivered, delivered);
    this.#read = Math.max(this.#read, read);
    this.show();
  }

  show() {
    const words = document.getElementById("message-words").dataset;
    let below = "";
    for (const item of [...this.#list.querySelectorAll("li.message[data-number]:not(.note)")].reverse()) {
      const place = item.matches(".ours") ? item.querySelector(".state") : null;
      const state = place ? this.#stateOf(Number(item.dataset.number)) : "";
      if (place) fill(place, words[state], state === below);
      below = state;
    }
  }

  #stateOf(number) {
    if (number <= this.#read) return "read";
    return number <= this.#delivered ? "delivered" : "sent";
  }
}

function fill(place, word, isRepeated) {
  place.setAttribute("aria-live", "off"); // the thread is a log: every change of a word would be read out
  if (place.textContent !== word) place.textContent = word;
  place.hidden = isRepeated;
}

export function openMarks(list) {
  return new Marks(list);
}

class Receipts {
  #options;
  #got = 0;
  #seen = 0;
  #timer = 0;

  constructor(options) {
    this.#options = options;
  }

  tell() {
    if (this.#timer) return;
    const number = this.#options.last();
    const isNewlySeen = number > this.#seen && this.#options.isSeen();
    if (!isNewlySeen && number <= this.#got) return;
    if (!this.#options.send(isNewlySeen ? "seen" : "got", number)) return;
    this.#got = number;
    if (isNewlySeen) this.#seen = number;
    this.#timer = setTimeout(() => {
      this.#timer = 0;
      this.tell();
    }, TELL_EVERY);
  }

  /** A new connection: what was told may be lost with the last one, and what is told twice moves no mark back. */
  again() {
    this.#got = this.#seen = 0;
  }

  close() {
    clearTimeout(this.#timer);
    this.#timer = -1;
  }
}

/** Whether somebody looks at this page. */
export function isInFront() {
  return document.visibilityState === "visible" && document.hasFocus();
}

export function createReceipts(options) {
  return new Receipts(options);
}
