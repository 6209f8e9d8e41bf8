/**
 * The emoji picker (static/vendor/emoji-picker-element), fetched when it is first opened.
 *
 * The button [data-emoji] names by data attributes where its module, its words and its emoji are: all on our server.
 */

// Emoji that every system of the last years can draw. The picker's own test would offer none at all where the
// system draws them without colour.
const VERSION = 14;

async function load({ picker, words, source, locale }) {
  const [{ default: Picker }, { default: i18n }] = await Promise.all([import(picker), import(words)]);
  return new Picker({ locale, i18n, dataSource: source, emojiVersion: VERSION });
}

export function startEmoji(composer) {
  const button = composer.form.querySelector("[data-emoji]");
  const pane = composer.form.querySelector("[data-emoji-pane]");
  const trouble = pane.querySelector("[data-trouble]");
  let picker = null;

  async function open() {
    composer.showPane(pane, button);
    trouble.hidden = true;
    try {
      if (!picker) {
        picker = await load(button.dataset);
        picker.addEventListener("emoji-click", ({ detail }) => choose(detail.unicode));
        pane.append(picker);
      }
    } catch {
      trouble.hidden = false; // no network: the next opening tries again
    }
    const search = picker?.shadowRoot.querySelector("input");
    if (!search || pane.hidden) return;
    search.value = ""; // of the last time
    search.dispatchEvent(new Event("input"));
    search.focus();
  }

  function choose(emoji) {
    composer.closePane();
    composer.insert(emoji);
  }

  button.hidden = false;
  button.addEventListener("click", () => (pane.hidden ? open() : composer.closePane()));
}
