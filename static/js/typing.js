/**
 * Who is typing.
 *
 * createTyping(send) -> tell(): for every real change of the text; sent at most each three seconds.
 * openTyping(box, onShow()) -> {take(who), stop(who), close()}: the sign at the end of a thread, gone after five quiet
 * seconds. It is added to the thread's log, so it is read out once, when it appears, and not while it changes.
 * showTypingInTask(conversation): the same in the row of a conversation that is not open.
 */

const TELL_EVERY = 3_000;
const QUIET_AFTER = 5_000;

const words = () => document.getElementById("message-words").dataset;

export function createTyping(send) {
  let told = 0;
  return () => {
    if (Date.now() - told >= TELL_EVERY && send()) told = Date.now();
  };
}

function sentence(names) {
  const { typingOne, typingTwo, typingMany } = words();
  if (names.length === 1) return typingOne.replace("{name}", names[0]);
  if (names.length === 2) return typingTwo.replace("{first}", names[0]).replace("{second}", names[1]);
  return typingMany.replace("{count}", names.length);
}

class TypingSign {
  #box;
  #onShow;
  #sign = null;
  #people = new Map();

  constructor(box, onShow) {
    this.#box = box;
    this.#onShow = onShow;
  }

  take(who) {
    clearTimeout(this.#people.get(who));
    this.#people.set(who, setTimeout(() => this.stop(who), QUIET_AFTER));
    this.#show();
  }

  /** Quiet, or the message is there. */
  stop(who) {
    if (!this.#people.has(who)) return;
    clearTimeout(this.#people.get(who));
    this.#people.delete(who);
    this.#show();
  }

  close() {
    for (const timer of this.#people.values()) clearTimeout(timer);
    this.#people.clear();
    this.#show();
  }

  #show() {
    if (!this.#people.size) {
      this.#sign?.remove();
      this.#sign = null;
      return;
    }
    const said = sentence([...this.#people.keys()]);
    if (this.#sign) {
      this.#sign.setAttribute("aria-live", "off");
      this.#sign.querySelector("[data-who]").textContent = said;
      return;
    }
    this.#sign = document.getElementById("typing-sign").content.firstElementChild.cloneNode(true);
    this.#sign.querySelector("[data-who]").textContent = said;
    this.#box.append(this.#sign);
    this.#onShow();
  }
}

export function openTyping(box, onShow) {
  return new TypingSign(box, onShow);
}

const rows = new Map();

export function showTypingInTask(conversation) {
  const line = document.querySelector(`#task-${CSS.escape(conversation)} .last`);
  if (!line) return;
  clearTimeout(rows.get(conversation));
  rows.set(conversation, setTimeout(() => hideTypingInTask(conversation), QUIET_AFTER));
  if (line.querySelector("[data-typing]")) return;
  const sign = document.createElement("span");
  sign.dataset.typing = "";
  sign.textContent = words().typingRow;
  line.append(sign);
}

/** Quiet again; a row that was drawn anew meanwhile has no sign left. */
function hideTypingInTask(conversation) {
  rows.delete(conversation);
  document.querySelector(`#task-${CSS.escape(conversation)} .last [data-typing]`)?.remove();
}
