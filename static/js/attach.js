/**
 * Files in the compose box: by button, by drag and drop on the conversation, by paste. Each is a chip above the text
 * with its progress; sending waits for those on their way. A tool of composer.js.
 */

import { trayOf } from "./attach-upload.js";

/** As the thread shows it later: 182 kB, 4.2 MB. */
function shownSize(bytes) {
  if (bytes < 1000) return `${bytes} B`;
  const [unit, size, maximumFractionDigits] =
    bytes < 999_500 ? ["kilobyte", bytes / 1000, 0] : ["megabyte", bytes / 1_000_000, 1];
  const options = { style: "unit", unit, unitDisplay: "short", maximumFractionDigits };
  return new Intl.NumberFormat(document.documentElement.lang || "en", options).format(size);
}

const hasFiles = (transfer) => [...(transfer?.types ?? [])].includes("Files");

/** A pasted picture has a name that says nothing; with the time it can be told from the next. */
function named(file) {
  if (file.name && file.name !== "image.png") return file;
  const time = new Date().toISOString().slice(0, 19).replace("T", " ").replaceAll(":", ".");
  return new File([file], `${time}.${file.type.split("/")[1] || "png"}`, { type: file.type });
}

class Attachments {
  #composer;
  #place;
  #list;
  #words;
  #tray;
  #status;
  #chips = new Map();

  constructor(composer, place) {
    this.#composer = composer;
    this.#place = place;
    this.#words = place.dataset;
    this.#list = place.querySelector("ul");
    this.#status = composer.form.querySelector("[data-attach-status]");
    this.#tray = trayOf(`livedesk.files.${place.dataset.url}.${place.dataset.conversation}`, place.dataset.url);
    this.#tray.onChange = (item) => this.#show(item);
    this.#show(null);
    if (this.#tray.isHeld) this.#say(this.#words.waiting);
  }

  add(files) {
    const { most, mostBytes, tooMany, tooLarge } = this.#words;
    let room = Number(most) - this.#tray.items.length;
    for (const file of files) {
      if (room-- <= 0) return this.#composer.refuse(tooMany);
      const isTooLarge = file.size > Number(mostBytes);
      this.#tray.add(file, isTooLarge ? tooLarge.replace("{name}", file.name) : "");
    }
  }

  /** True while files are on their way; the message goes when they have arrived. */
  hold() {
    this.#tray.isHeld = this.#tray.isBusy;
    if (this.#tray.isHeld) this.#say(this.#words.waiting);
    return this.#tray.isHeld;
  }

  check() {
    return this.#tray.items.some((item) => item.state === "failed") ? this.#words.unsent : "";
  }

  fill(post) {
    const ready = this.#tray.items.filter((item) => item.state === "ready");
    post.files = ready.map(({ handle, name, size }) => ({ handle, name, size }));
  }

  sent() {
    this.#tray.clear();
    this.#say("");
  }

  returned(entry) {
    this.#tray.take(entry.files ?? []);
  }

  #show(changed) {
    const items = this.#tray.items;
    for (const [id, chip] of this.#chips) {
      if (items.some((item) => item.id === id)) continue;
      this.#removeChip(id, chip);
    }
    items.forEach((item) => this.#fillChip(this.#chips.get(item.id) ?? this.#newChip(item), item));
    this.#place.hidden = !items.length;
    const isOver = this.#tray.isHeld && !this.#tray.isBusy;
    if (isOver) this.#letGo();
    if (changed?.state === "ready" && !this.#tray.isHeld) this.#say(this.#words.arrived.replace("{name}", changed.name));
    if (changed?.state === "failed") this.#showFailed(changed);
    // A file that failed needs a decision; the text stays in the box until then.
    if (isOver) this.#composer.submit();
  }

  /** The list is low: what could not be taken comes into sight. */
  #showFailed(item) {
    this.#say(this.#sentenceOf(item));
    this.#chips.get(item.id)?.scrollIntoView({ block: "nearest" });
  }

  #letGo() {
    this.#tray.isHeld = false;
    this.#say("");
  }

  #sentenceOf(item) {
    return item.sentence || this.#words.lost.replace("{name}", item.name);
  }

  #newChip(item) {
    const chip = this.#place.querySelector("template").content.firstElementChild.cloneNode(true);
    chip.querySelector("[data-remove]").addEventListener("click", () => this.#tray.remove(item));
    chip.querySelector("[data-again]").addEventListener("click", () => this.#tray.retry(item));
    this.#chips.set(item.id, chip);
    this.#list.append(chip);
    return chip;
  }

  #removeChip(id, chip) {
    const hadFocus = chip.contains(document.activeElement);
    this.#chips.delete(id);
    chip.remove();
    if (hadFocus) this.#composer.focus();
  }

  #fillChip(chip, item) {
    const isFailed = item.state === "failed";
    const isUnderWay = item.state === "waiting" || item.state === "uploading";
    chip.dataset.state = item.state;
    chip.querySelector("[data-name]").textContent = item.name;
    chip.querySelector("[data-size]").textContent = shownSize(item.size);
    const bar = chip.querySelector("progress");
    bar.hidden = !isUnderWay;
    bar.value = item.part;
    bar.setAttribute("aria-label", this.#words.uploading.replace("{name}", item.name));
    const why = chip.querySelector("[data-why]");
    why.hidden = !isFailed;
    why.textContent = isFailed ? this.#sentenceOf(item) : "";
    const again = chip.querySelector("[data-again]");
    again.hidden = !isFailed || !item.mayRetry;
    again.setAttribute("aria-label", this.#words.again.replace("{name}", item.name));
    const remove = isUnderWay ? this.#words.cancel : this.#words.remove;
    chip.querySelector("[data-remove]").setAttribute("aria-label", remove.replace("{name}", item.name));
  }

  /** Read out; and for the eye as long as a message waits, because its text stands in the box as if unsent. */
  #say(sentence) {
    this.#status.textContent = sentence;
    this.#status.classList.toggle("visually-hidden", !this.#tray.isHeld);
  }
}

/** Files may be dropped anywhere on the conversation, not only on the small box. */
function takeDrops(composer, add) {
  const area = composer.form.closest("[data-conversation]");
  const isGone = () => !composer.form.isConnected;
  let depth = 0;
  const mark = (change) => {
    depth = Math.max(0, depth + change);
    area.classList.toggle("dropping", depth > 0);
  };
  const stop = new AbortController();
  const on = (name, take) =>
    area.addEventListener(
      name,
      (event) => {
        if (isGone()) return stop.abort();
        if (hasFiles(event.dataTransfer)) take(event);
      },
      { signal: stop.signal },
    );
  on("dragenter", () => mark(1));
  on("dragleave", () => mark(-1));
  on("dragover", (event) => event.preventDefault());
  on("drop", (event) => {
    event.preventDefault();
    mark(-depth);
    add(event.dataTransfer.files);
  });
}

export function startAttaching(composer) {
  const { form, field } = composer;
  const button = form.querySelector("[data-attach]");
  const picker = form.querySelector("[data-attach-picker]");
  const attachments = new Attachments(composer, form.querySelector("[data-attachments]"));
  composer.extend(attachments);
  const add = (files) => {
    attachments.add([...files]);
    composer.focus();
  };
  button.hidden = false;
  button.addEventListener("click", () => picker.click());
  picker.addEventListener("change", () => {
    add(picker.files);
    picker.value = ""; // so that the same file can be chosen again
  });
  field.addEventListener("paste", (event) => {
    const { files } = event.clipboardData ?? {};
    // Text with a picture of itself (from a table, say) is pasted as text.
    if (!files?.length || event.clipboardData.getData("text/plain")) return;
    event.preventDefault();
    add([...files].map(named));
  });
  takeDrops(composer, add);
}
