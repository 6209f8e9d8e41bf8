/**
 * Messages on their way. Each has a key before its first try and keeps it until the server posted or refused it, over
 * lost connections and reloads. Posting twice under one key is one message, so sending again is always safe.
 *
 * createOutbox({scope, conversation, send(command), postUrl(conversation), onFrame(frame), onChange(entry),
 *   unknownSentence, waitSentence}) -> {add(conversation, text, {note, files}), pending(conversation), left, failed,
 *   retry(key), discard(key), take(frame), arrived(key), setStatus(status)}
 *
 * `scope` keeps the pages and people of one browser apart ("chat", "desk-7"). A page of one `conversation` sends the
 * messages of that one alone; what another one left behind (`left`) is asked for under its name, until the server says
 * whether it came.
 *
 * An entry is {key, conversation, text, note, files, at, state, sentence}; its state is "sending", "sent" (the server
 * said posted; its message is still to come) or "failed" (refused, with the server's sentence). Only `take` and
 * `arrived` end an entry; nothing drops one silently. A refusal that says when to try again is no failure: everything
 * waits that long and goes out again.
 */

import { forget, remember, stored } from "./storage.js";
import { csrfToken } from "./csrf.js";

const ANSWER_WITHIN = 20_000;
const RETRY_POST_AFTER = 3_000;
// So many may wait for their answer at once: all at once after a long outage would be too many frames in a second.
const MOST_UNANSWERED = 8;

/** 36 characters by chance; randomUUID itself is missing on plain http. */
function newKey() {
  if (crypto.randomUUID) return crypto.randomUUID();
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

class Outbox {
  #options;
  #prefix;
  #entries = new Map();
  #unanswered = new Set();
  #status = "connecting";
  #isPosting = false;
  #isAsking = false;
  #answerTimer = 0;
  #heldUntil = 0;

  constructor(options) {
    this.#options = options;
    this.#prefix = `livedesk.outbox.${options.scope}.`;
    // One stored item per message: two tabs that keep one list each would overwrite each other's.
    const kept = stored(this.#prefix).sort((a, b) => a.at - b.at || a.order - b.order);
    for (const entry of kept) this.#entries.set(entry.key, entry);
  }

  /** Take a text on its way under a new key. */
  add(conversation, text, { note = false, files = [] } = {}) {
    const order = this.#entries.size;
    const entry = { key: newKey(), conversation: String(conversation), text, note, files, at: Date.now(), order };
    this.#entries.set(entry.key, entry);
    this.#move(entry, "sending");
    this.#flush();
    return entry;
  }

  /** What still has to be shown beside the thread of this conversation, oldest first. */
  pending(conversation) {
    return [...this.#entries.values()].filter((entry) => entry.conversation === String(conversation));
  }

  /** What was written in other conversations than the page's own, and was not answered or was refused. */
  get left() {
    return [...this.#entries.values()].filter((entry) => this.#isLeft(entry));
  }

  /** What was refused, and neither sent again nor given up. */
  get failed() {
    return [...this.#entries.values()].filter((entry) => entry.state === "failed");
  }

  retry(key) {
    const entry = this.#entries.get(key);
    if (!entry || entry.state !== "failed") return;
    this.#move(entry, "sending");
    this.#flush();
  }

  /** Give up a message that was refused; its text goes back to whoever asked. */
  discard(key) {
    const entry = this.#entries.get(key);
    if (!entry || entry.state !== "failed") return "";
    this.#remove(entry);
    return entry.text;
  }

  /** The message itself stands in the thread. */
  arrived(key) {
    const entry = this.#entries.get(key);
    if (!entry) return;
    this.#remove(entry);
    this.#flush();
  }

  /** True when the frame was an answer to one of these messages. */
  take(frame) {
    if (frame.retry_after && this.#hold(frame)) return true;
    const entry = this.#entries.get(frame.key ?? "");
    if (!entry) return false;
    this.#unanswered.delete(entry.key);
    if (frame.is === "posted") {
      forget(this.#prefix + entry.key);
      if (this.#isLeft(entry)) this.#remove(entry); // its thread is not here
      else this.#move(entry, "sent");
    } else if (frame.is === "refused") {
      this.#move(entry, "failed", frame.sentence);
    }
    this.#flush();
    return true;
  }

  /** The connection's status: what waits goes out again, in order, as soon as there is a way. */
  setStatus(status) {
    if (this.#status === status) return;
    this.#status = status;
    this.#unanswered.clear(); // whatever was on the old connection may be lost with it
    this.#flush();
  }

  /** The server wants a pause. Without a key it may have been any of those that are unanswered. */
  #hold({ key, retry_after: seconds }) {
    const keys = key ? [key] : [...this.#unanswered];
    const held = keys.map((key) => this.#entries.get(key)).filter((entry) => entry?.state === "sending");
    if (!held.length) return false;
    this.#heldUntil = Math.max(this.#heldUntil, Date.now() + seconds * 1000);
    for (const entry of held) {
      this.#unanswered.delete(entry.key);
      this.#move(entry, "sending", this.#options.waitSentence.replace("{seconds}", seconds));
    }
    setTimeout(() => this.#flush(), this.#heldUntil - Date.now() + 1);
    return true;
  }

  get #isHeld() {
    return Date.now() < this.#heldUntil;
  }

  #isLeft(entry) {
    const { conversation } = this.#options;
    return conversation !== undefined && entry.conversation !== String(conversation);
  }

  #waiting() {
    return [...this.#entries.values()].filter((entry) => entry.state === "sending" && !this.#isLeft(entry));
  }

  #move(entry, state, sentence = "") {
    Object.assign(entry, { state, sentence });
    if (state !== "sent") remember(this.#prefix + entry.key, entry);
    this.#options.onChange(entry);
  }

  #remove(entry) {
    this.#entries.delete(entry.key);
    this.#unanswered.delete(entry.key);
    forget(this.#prefix + entry.key);
    entry.state = "gone";
    this.#options.onChange(entry);
  }

  #flush() {
    if (this.#status === "polling") this.#post();
    if (this.#status === "connected" || this.#status === "polling") this.#askForLeft();
    // Nothing will carry them from this page any more; they stay kept, and Retry or a new page sends them.
    if (this.#status === "ended") this.#waiting().forEach((entry) => this.#fail(entry));
    if (this.#status !== "connected" || this.#isHeld) return;
    for (const entry of this.#waiting().filter((entry) => !this.#unanswered.has(entry.key))) {
      if (this.#unanswered.size >= MOST_UNANSWERED) break;
      if (!this.#options.send(commandFor(entry))) break;
      this.#unanswered.add(entry.key);
      if (entry.sentence) this.#move(entry, "sending");
    }
    clearTimeout(this.#answerTimer);
    if (this.#unanswered.size) this.#answerTimer = setTimeout(() => this.#ask(), ANSWER_WITHIN);
  }

  /** An answer that does not come, on a connection that lives, is asked for again. */
  #ask() {
    this.#unanswered.clear();
    this.#flush();
  }

  /** Under its own conversation's name, so that it lands nowhere else; that one may have taken it before it ended. */
  async #askForLeft() {
    if (this.#isAsking) return;
    this.#isAsking = true;
    try {
      for (const entry of this.left.filter((entry) => entry.state === "sending")) {
        if (this.#isHeld) break;
        await this.#postOne(entry);
      }
    } catch {
      // No answer: it stays kept, and is asked for again by the next connection or page.
    } finally {
      this.#isAsking = false;
    }
  }

  async #post() {
    if (this.#isPosting || this.#isHeld) return;
    this.#isPosting = true;
    try {
      for (let [entry] = this.#waiting(); entry && this.#status === "polling" && !this.#isHeld; [entry] = this.#waiting()) {
        await this.#postOne(entry);
      }
    } catch {
      setTimeout(() => this.#status === "polling" && this.#post(), RETRY_POST_AFTER);
    } finally {
      this.#isPosting = false;
    }
  }

  async #postOne(entry) {
    const response = await fetch(this.#options.postUrl(entry.conversation), {
      method: "POST",
      headers: { Accept: "application/json", "X-CSRFToken": csrfToken() },
      body: formFor(entry),
      signal: AbortSignal.timeout(ANSWER_WITHIN),
    });
    if (response.status >= 500) throw new Error(`status ${response.status}`);
    const isJson = response.headers.get("Content-Type")?.startsWith("application/json");
    const frames = isJson ? ((await response.json()).frames ?? []) : [];
    frames.forEach((frame) => this.#options.onFrame(frame));
    // An answer without a word about this message (a sign-in page, say) must not be asked for for ever.
    if (entry.state === "sending" && !this.#isHeld) this.#fail(entry);
  }

  #fail(entry) {
    this.#move(entry, "failed", this.#options.unknownSentence);
  }
}

function commandFor({ key, text, note, files, conversation }) {
  const command = { do: "post", key, text, conversation: Number(conversation) };
  if (note) command.note = true;
  if (files?.length) command.files = files.map((file) => file.handle);
  return command;
}

function formFor({ key, text, note, files, conversation }) {
  const form = new URLSearchParams({ key, text, conversation });
  if (note) form.set("note", "1");
  for (const file of files ?? []) form.append("files", file.handle);
  return form;
}

export function createOutbox(options) {
  return new Outbox(options);
}
