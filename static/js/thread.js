/**
 * The thread: messages in the order of their numbers, each once, with the days and the groups of one speaker.
 *
 * openThread(list, {outbox, conversation, onEdit(text, entry)})
 *   -> {append(html), last, isAtEnd, showPending(entry), marked(frame), typing(who), quiet(), toEnd(), close()}
 * (onEdit answers true when a compose box took the text)
 *
 * `list` is the <ol> of the page, best inside the box that scrolls (<div class="thread" role="log"><ol>…); `data-last`
 * is the last number the server rendered. What is still on its way stands below, from <template id="own-message">.
 * A button [data-jump] beside the box shows when something new came while the reader was further up, and a line stands
 * above the first message that came while he did not look.
 */

import { isInFront, openMarks } from "./marks.js";
import { sentenceIn, showNotice } from "./notices.js";
import { dayLabel, showTimes } from "./times.js";
import { openTyping } from "./typing.js";

const NEAR_THE_END = 48;
const ONE_GROUP_WITHIN = 60_000;

class Thread {
  #list;
  #box;
  #jump;
  #options;
  #last;
  #isAtEnd = true;
  #top = 0;
  #observer;
  #marks;
  #typing;

  constructor(list, options) {
    this.#list = list;
    this.#box = list.closest(".thread") ?? list;
    this.#jump = this.#box.parentElement.querySelector("[data-jump]");
    this.#options = options;
    this.#last = Number(list.dataset.last) || 0;
    this.#marks = openMarks(list);
    this.#typing = openTyping(this.#box, () => this.#isAtEnd && this.toEnd());
    this.#box.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    this.#jump?.addEventListener("click", () => this.toEnd());
    // Before htmx hears of it: earlier lines want their days, groups and the reader's place too.
    this.#list.addEventListener("click", (event) => this.#askedForEarlier(event), { capture: true });
    this.#observer = new ResizeObserver(() => this.#isAtEnd && this.toEnd());
    this.#observer.observe(this.#box);
    this.#observer.observe(this.#list); // a font that comes late makes lines longer
    this.#list.querySelectorAll("li[data-key]").forEach((item) => options.outbox?.arrived(item.dataset.key));
    options.outbox?.pending(options.conversation).forEach((entry) => this.showPending(entry));
    this.#arrange(this.#list.firstElementChild);
    showTimes(this.#list);
    this.#marks.show();
    this.toEnd();
  }

  /** Whether the newest line is in sight. */
  get isAtEnd() {
    return this.#isAtEnd;
  }

  /** The last number shown: a page that reconnects asks for what comes after it. */
  get last() {
    return this.#last;
  }

  /** Add the messages of a frame; answers those that were new. */
  append(html, last = 0) {
    const template = document.createElement("template");
    template.innerHTML = html;
    const isWatched = this.#isAtEnd && isInFront();
    const added = [...template.content.querySelectorAll("li[data-number]")].filter((item) => this.#insert(item));
    this.#last = Math.max(this.#last, last, ...added.map((item) => Number(item.dataset.number)));
    this.#list.dataset.last = this.#last;
    if (!added.length) return added;
    this.#separate(added, isWatched);
    this.#arrange(earliest(added));
    showTimes(this.#list);
    this.#marks.show();
    for (const item of added) this.#typing.stop(item.dataset.author ?? "");
    if (this.#isAtEnd) this.toEnd();
    else if (this.#jump && added.some((item) => item.matches(".theirs"))) this.#jump.hidden = false;
    return added;
  }

  /** Show, change or take away the bubble of a message on its way. */
  showPending(entry) {
    const id = `pending-${entry.key}`;
    let item = document.getElementById(id);
    if (entry.state === "gone" || this.#list.querySelector(`li[data-number][data-key="${entry.key}"]`)) {
      return item?.remove();
    }
    if (!item) {
      item = this.#newPending(entry, id);
      this.#list.append(item);
      this.toEnd();
    }
    this.#fill(item, entry);
  }

  /** How far the other side has the thread, from a frame. */
  marked(frame) {
    this.#marks.take(frame);
  }

  /** Somebody is writing. */
  typing(who) {
    this.#typing.take(who);
  }

  /** Nobody can write any more. */
  quiet() {
    this.#typing.close();
  }

  /** Scroll to the newest line. */
  toEnd() {
    this.#box.scrollTop = this.#box.scrollHeight;
    this.#top = this.#box.scrollTop;
    this.#isAtEnd = true;
    if (this.#jump) this.#jump.hidden = true;
  }

  close() {
    this.#typing.close();
    this.#observer.disconnect();
  }

  #askedForEarlier(event) {
    const link = event.target.closest(".earlier a");
    if (!link) return;
    event.preventDefault();
    event.stopPropagation();
    this.#showEarlier(link);
  }

  async #showEarlier(link) {
    if (link.ariaDisabled === "true") return;
    link.ariaDisabled = "true";
    const { html, sentence } = await linesAt(link.href);
    if (!link.isConnected) return;
    if (!sentence) return this.#prepend(html, link.closest("li"));
    link.ariaDisabled = "false"; // it stays there to be tried again
    showNotice(sentence);
  }

  #prepend(html, place) {
    const template = document.createElement("template");
    template.innerHTML = html;
    const belowTheEye = this.#box.scrollHeight - this.#box.scrollTop;
    this.#isAtEnd = false;
    const next = template.content.querySelector(".earlier");
    // Who went on writing while the lines came has his hands elsewhere. (Safari leaves a clicked link without the focus.)
    const isWaiting = document.activeElement === document.body || place.contains(document.activeElement);
    place.remove();
    template.content.querySelectorAll("li[data-number]").forEach((item) => this.#insert(item));
    if (next) this.#list.prepend(next);
    this.#arrange(this.#list.firstElementChild);
    showTimes(this.#list);
    this.#marks.show();
    this.#box.scrollTop = this.#box.scrollHeight - belowTheEye;
    if (isWaiting) (next?.querySelector("a") ?? this.#box).focus({ preventScroll: true });
  }

  #scrolled() {
    const { scrollHeight, scrollTop, clientHeight } = this.#box;
    // Only the reader moves up; that the thread grew meanwhile does not mean that he left its end.
    const movedUp = scrollTop < this.#top;
    this.#top = scrollTop;
    this.#isAtEnd = scrollHeight - scrollTop - clientHeight < NEAR_THE_END || (this.#isAtEnd && !movedUp);
    if (this.#isAtEnd && this.#jump) this.#jump.hidden = true;
  }

  #insert(item) {
    if (document.getElementById(item.id)) return false;
    const number = Number(item.dataset.number);
    let before = this.#list.lastElementChild;
    // From the end, because that is where new ones belong; a late one finds its place further up.
    while (before && (before.dataset.number === undefined || Number(before.dataset.number) > number)) {
      before = before.previousElementSibling;
    }
    if (before) before.after(item);
    else this.#list.prepend(item);
    if (item.dataset.key) {
      document.getElementById(`pending-${item.dataset.key}`)?.remove();
      this.#options.outbox?.arrived(item.dataset.key);
    }
    return true;
  }

  /** The line above what came while nobody looked; the next message that is seen as it comes takes it away. */
  #separate(added, isWatched) {
    const line = this.#list.querySelector(".new-line");
    const first = earliest(added);
    if (isWatched || first.matches(".ours")) return line?.remove();
    const theirs = added.filter((item) => item.matches(".theirs"));
    if (line || !theirs.length) return;
    const fresh = document.createElement("li");
    fresh.className = "event new-line";
    fresh.textContent = document.getElementById("message-words").dataset.newMessages;
    earliest(theirs).before(fresh);
  }

  /** Days and groups, from this item to the end. */
  #arrange(from) {
    for (let item = from; item; item = item.nextElementSibling) {
      if (item.dataset.number === undefined) continue;
      let before = item.previousElementSibling;
      while (before?.matches(".day, .new-line")) {
        const passed = before;
        before = before.previousElementSibling;
        if (passed.matches(".day")) passed.remove();
      }
      const label = dayLabel(Date.parse(item.dataset.at));
      if (!before || dayLabel(Date.parse(before.dataset.at)) !== label) {
        item.before(this.#newDay(label));
        before = null;
      }
      item.classList.toggle("grouped", isOneGroup(before, item));
    }
  }

  #newDay(label) {
    // A page left open overnight has a "Today" that is none any more.
    for (const day of this.#list.querySelectorAll(".day")) {
      const first = day.nextElementSibling?.dataset.at;
      if (first) day.textContent = dayLabel(Date.parse(first));
    }
    const day = document.createElement("li");
    day.className = "event day";
    day.textContent = label;
    return day;
  }

  #newPending(entry, id) {
    const item = document.getElementById("own-message").content.firstElementChild.cloneNode(true);
    item.id = id;
    item.dataset.key = entry.key;
    item.classList.toggle("note", Boolean(entry.note));
    item.querySelector(".bubble").textContent = [entry.text, ...(entry.files ?? []).map((file) => file.name)].filter(Boolean).join("\n");
    item.querySelector("[data-retry]").addEventListener("click", () => this.#options.outbox.retry(entry.key));
    item.querySelector("[data-edit]").addEventListener("click", () => {
      // Given up only when the compose box has it: a text is never dropped.
      if (this.#options.onEdit(entry.text, entry)) this.#options.outbox.discard(entry.key);
    });
    item.querySelector("[data-discard]").addEventListener("click", () => {
      this.#options.outbox.discard(entry.key);
      this.#box.focus({ preventScroll: true }); // the button that had it is gone
    });
    return item;
  }

  #fill(item, entry) {
    const words = document.getElementById("message-words").dataset;
    const isFailed = entry.state === "failed";
    item.classList.toggle("pending", entry.state === "sending");
    item.classList.toggle("failed", isFailed);
    item.querySelector(".state").textContent = words[entry.state];
    const why = item.querySelector(".why");
    why.textContent = entry.sentence ?? "";
    why.hidden = !entry.sentence;
    item.querySelector("[data-retry]").hidden = !isFailed;
    item.querySelector("[data-edit]").hidden = !isFailed || !this.#options.onEdit;
    item.querySelector("[data-discard]").hidden = !isFailed;
    if (isFailed && this.#isAtEnd) this.toEnd();
  }
}

/** The lines at an address, or the sentence that says why they do not come. */
async function linesAt(address) {
  const { noAnswer } = document.getElementById("message-words").dataset;
  try {
    const answer = await fetch(address, { headers: { "HX-Request": "true" } }); // a refusal is its sentence alone then
    const html = await answer.text();
    // Where the session has ended, the page to sign in answers.
    if (answer.ok && !answer.redirected) return { html };
    return { sentence: answer.headers.has("Livedesk-Notice") ? sentenceIn(html) : noAnswer };
  } catch {
    return { sentence: noAnswer };
  }
}

function earliest(items) {
  return items.reduce((first, item) => (Number(item.dataset.number) < Number(first.dataset.number) ? item : first));
}

/** Whether the second follows the first as one breath of the same speaker. */
function isOneGroup(first, second) {
  if (!first?.matches(".message") || !second.matches(".message")) return false;
  if (first.classList.contains("note") !== second.classList.contains("note")) return false;
  if (first.classList.contains("ours") !== second.classList.contains("ours")) return false;
  const isSameSpeaker = (first.dataset.author ?? "") === (second.dataset.author ?? "");
  return isSameSpeaker && Date.parse(second.dataset.at) - Date.parse(first.dataset.at) < ONE_GROUP_WITHIN;
}

export function openThread(list, options) {
  return new Thread(list, options);
}
