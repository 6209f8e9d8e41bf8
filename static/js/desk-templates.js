/**
 * Templates of replies: “/” at the beginning of the box, or the button, opens a list that is searched as one types.
 *
 * The server finds them and fills what it knows; this is the combobox around it. Arrows go through the list, Enter and
 * Tab choose, Escape closes and leaves in the box what was typed.
 */

import { selectParameter } from "./parameters.js";

class TemplateList {
  #composer;
  #button;
  #pane;
  #search;
  #place;
  #status;
  #active = -1;
  #asked = null;
  #isSlash = false;
  #isChoosing = false;

  constructor(composer) {
    this.#composer = composer;
    this.#button = composer.form.querySelector("[data-templates]");
    this.#pane = composer.form.querySelector("[data-templates-pane]");
    this.#search = this.#pane.querySelector("input");
    this.#place = this.#pane.querySelector("[data-templates-list]");
    this.#status = this.#pane.querySelector("[data-templates-status]");
    this.#button.hidden = false;
    this.#button.addEventListener("click", () => (this.#pane.hidden ? this.#open(false) : composer.closePane()));
    this.#search.addEventListener("input", () => this.#ask());
    this.#search.addEventListener("keydown", (event) => this.#key(event));
    this.#pane.addEventListener("closed", () => this.#closed());
    this.#place.addEventListener("pointerdown", (event) => event.preventDefault()); // the focus stays in the search
    this.#place.addEventListener("click", (event) => this.#choose(event.target.closest("[role=option]")));
    composer.extend({ changed: (event) => this.#slash(event) });
  }

  /** A “/” typed at the very beginning asks for a template; it does not stand in the box meanwhile. */
  #slash(event) {
    const { field } = this.#composer;
    if (event?.data !== "/" || field.selectionStart !== 1 || !field.value.startsWith("/")) return;
    field.setRangeText("", 0, 1, "start");
    this.#open(true);
  }

  #open(isSlash) {
    this.#composer.showPane(this.#pane, this.#button);
    this.#isSlash = isSlash;
    this.#search.value = "";
    this.#search.focus();
    this.#ask();
  }

  #closed() {
    this.#asked?.abort();
    this.#asked = null;
    this.#isChoosing = false;
    if (!this.#isSlash) return;
    // Nothing was chosen: what was typed was meant as text.
    this.#isSlash = false;
    this.#composer.field.setRangeText(`/${this.#search.value}`, 0, 0, "end");
    this.#composer.field.dispatchEvent(new Event("input"));
  }

  async #ask() {
    this.#asked?.abort();
    const asked = new AbortController();
    this.#asked = asked;
    const address = `${this.#button.dataset.templates}?${new URLSearchParams({ q: this.#search.value })}`;
    let html = "";
    try {
      const response = await fetch(address, { signal: asked.signal });
      if (!response.ok || response.redirected) throw new Error(`status ${response.status}`);
      html = await response.text();
    } catch {
      if (asked.signal.aborted) return; // a newer question is under way
    }
    if (this.#asked !== asked) return;
    this.#asked = null;
    this.#show(html);
  }

  #show(html) {
    const template = document.createElement("template");
    template.innerHTML = html;
    this.#place.replaceChildren(template.content);
    const list = this.#place.querySelector("[role=listbox]");
    if (!html) this.#place.textContent = this.#place.dataset.trouble;
    this.#status.textContent = list ? list.dataset.total : this.#place.textContent.trim();
    this.#search.setAttribute("aria-expanded", Boolean(list));
    if (list) this.#search.setAttribute("aria-controls", list.id);
    else this.#search.removeAttribute("aria-controls");
    this.#activate(list ? 0 : -1);
    if (this.#isChoosing) this.#choose(this.#options[0]);
  }

  get #options() {
    return [...this.#place.querySelectorAll("[role=option]")];
  }

  #activate(place) {
    const options = this.#options;
    this.#active = options.length ? (place + options.length) % options.length : -1;
    options.forEach((option, index) => option.setAttribute("aria-selected", index === this.#active));
    const active = options[this.#active];
    if (active) this.#search.setAttribute("aria-activedescendant", active.id);
    else this.#search.removeAttribute("aria-activedescendant");
    active?.scrollIntoView({ block: "nearest" });
  }

  #key(event) {
    if (event.isComposing) return;
    const { key } = event;
    if (key === "ArrowDown") this.#activate(this.#active + 1);
    else if (key === "ArrowUp") this.#activate(this.#active - 1);
    else if (key === "Enter" || (key === "Tab" && !event.shiftKey)) this.#decide();
    else if (key === "Backspace" && this.#isSlash && !this.#search.value) this.#back();
    else return;
    event.preventDefault();
  }

  /** Whoever types and presses Enter at once means the answer that is on its way. */
  #decide() {
    if (this.#asked) this.#isChoosing = true;
    else this.#choose(this.#options[this.#active]);
  }

  #back() {
    this.#isSlash = false;
    this.#composer.closePane();
    this.#composer.focus();
  }

  #choose(option) {
    this.#isChoosing = false;
    if (!option) return;
    this.#isSlash = false;
    const { field } = this.#composer;
    const from = field.selectionStart;
    this.#composer.closePane();
    this.#composer.insert(option.dataset.text);
    selectParameter(field, from);
  }
}

export function startTemplates(composer) {
  return new TemplateList(composer);
}
