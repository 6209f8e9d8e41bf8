/**
 * Files on their way to the server, by conversation: they go on while another conversation is open, and what has
 * arrived stays over a reload of this tab until it is sent or removed.
 *
 * trayOf(name, url) -> {items, isBusy, isHeld, add(file), retry(item), remove(item), take(files), clear(), onChange}
 *
 * An item is {id, name, size, state, part, sentence, handle, mayRetry}; its state is "waiting", "uploading" (`part` of
 * 1), "ready" (it has a handle) or "failed" (with a sentence). `isHeld` says that a message waits for them: of the tray,
 * because whoever is told when they have arrived may be another box than the one that was sent.
 */

import { csrfToken } from "./csrf.js";

const AT_ONCE = 3;
const trays = new Map();
let ids = 0;

class Tray {
  #url;
  #name;

  constructor(name, url) {
    this.#name = name;
    this.#url = url;
    this.items = [];
    this.isHeld = false;
    this.onChange = () => {};
    this.take(readKept(name));
  }

  get isBusy() {
    return this.items.some((item) => item.state === "waiting" || item.state === "uploading");
  }

  /** Upload a file as soon as there is room; with a sentence it has failed before it was begun. */
  add(file, sentence = "") {
    const state = sentence ? "failed" : "waiting";
    const item = { id: ++ids, file, name: file.name, size: file.size, state, part: 0, sentence, mayRetry: false };
    this.items.push(item);
    this.#changed(item);
    this.#next();
  }

  /** Files that are on the server already: kept over a reload, or of a message that comes back for editing. */
  take(files) {
    for (const file of files) this.items.push({ ...file, id: ++ids, state: "ready", part: 1, sentence: "" });
    if (files.length) this.#changed();
  }

  retry(item) {
    Object.assign(item, { state: "waiting", part: 0, sentence: "", mayRetry: false });
    this.#changed(item);
    this.#next();
  }

  /** Give a file up, on its way or arrived; the server forgets it in its own time when it cannot be told. */
  remove(item) {
    this.items = this.items.filter((other) => other !== item);
    item.request?.abort();
    if (item.handle) discard(`${this.#url}${item.handle}/discard/`);
    this.#changed();
    this.#next();
  }

  /** The message took them along. */
  clear() {
    this.items = [];
    this.#changed();
  }

  #next() {
    const under = this.items.filter((item) => item.state === "uploading").length;
    const waiting = this.items.filter((item) => item.state === "waiting");
    waiting.slice(0, Math.max(0, AT_ONCE - under)).forEach((item) => this.#upload(item));
  }

  #upload(item) {
    const request = new XMLHttpRequest(); // fetch tells nothing of its progress
    const body = new FormData();
    body.append("file", item.file, item.name);
    item.state = "uploading";
    item.request = request;
    request.open("POST", this.#url);
    request.setRequestHeader("Accept", "application/json");
    request.setRequestHeader("X-CSRFToken", csrfToken());
    request.upload.addEventListener("progress", ({ loaded, total }) => {
      item.part = total ? loaded / total : 0;
      this.#changed(item);
    });
    request.addEventListener("load", () => this.#answered(item, request));
    request.addEventListener("error", () => this.#failed(item, "", true));
    request.send(body);
    this.#changed(item);
  }

  #answered(item, request) {
    const answer = parsed(request.responseText);
    if (request.status === 200 && answer.handle) {
      Object.assign(item, { state: "ready", part: 1, handle: answer.handle, name: answer.name, file: null });
      this.#settled(item);
    } else {
      // A refusal stays one, however often it is asked for; haste and a server in trouble pass.
      this.#failed(item, answer.sentence ?? "", request.status === 429 || request.status >= 500);
    }
  }

  #failed(item, sentence, mayRetry) {
    if (!this.items.includes(item)) return;
    Object.assign(item, { state: "failed", sentence, mayRetry });
    this.#settled(item);
  }

  #settled(item) {
    item.request = null;
    this.#changed(item);
    this.#next();
  }

  #changed(item = null) {
    const kept = this.items.filter((one) => one.handle).map(({ handle, name, size }) => ({ handle, name, size }));
    keep(this.#name, kept);
    this.onChange(item);
  }
}

function parsed(text) {
  try {
    return JSON.parse(text) ?? {};
  } catch {
    return {};
  }
}

function discard(address) {
  const headers = { Accept: "application/json", "X-CSRFToken": csrfToken() };
  fetch(address, { method: "POST", headers, keepalive: true }).catch(() => {});
}

function readKept(name) {
  try {
    return JSON.parse(sessionStorage.getItem(name)) ?? [];
  } catch {
    return [];
  }
}

function keep(name, files) {
  try {
    if (files.length) sessionStorage.setItem(name, JSON.stringify(files));
    else sessionStorage.removeItem(name);
  } catch {
    // Without storage they stay until the page is left.
  }
}

/** Of others that are done only the files are kept: whom they told is a compose box that was left, with all its page. */
function leaveOthers(name) {
  for (const [other, tray] of trays) {
    if (other === name || tray.isBusy) continue;
    tray.onChange = () => {};
    if (!tray.items.length) trays.delete(other);
  }
}

export function trayOf(name, url) {
  leaveOthers(name);
  if (!trays.has(name)) trays.set(name, new Tray(name, url));
  return trays.get(name);
}
