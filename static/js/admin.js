/** Admin pages: times in the reader's own zone and language, names for the boxes of select2, tables to scroll by keyboard. */

const language = document.documentElement.lang || "en";
const minute = { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
const formats = {
  minute: new Intl.DateTimeFormat(language, minute),
  minuteOfAnotherYear: new Intl.DateTimeFormat(language, { ...minute, year: "numeric" }),
  second: new Intl.DateTimeFormat(language, { ...minute, year: "numeric", second: "2-digit" }),
};

for (const element of document.querySelectorAll("time[data-moment]")) {
  const at = Date.parse(element.dateTime);
  if (Number.isNaN(at)) continue;
  const isThisYear = new Date(at).getFullYear() === new Date().getFullYear();
  const name = element.dataset.moment === "minute" && !isThisYear ? "minuteOfAnotherYear" : element.dataset.moment;
  element.textContent = formats[name].format(at);
}

/** select2 draws its own box beside the select and leaves it without a name. */
function nameBoxes() {
  for (const box of document.querySelectorAll(".select2-selection:not([data-named])")) {
    box.dataset.named = "";
    const select = box.closest(".select2")?.previousElementSibling;
    const name = select?.getAttribute("aria-label") ?? select?.labels?.[0]?.textContent.replace(/:\s*$/, "").trim();
    if (!name) continue;
    const shown = box.querySelector(".select2-selection__rendered");
    box.setAttribute("aria-label", name);
    box.removeAttribute("aria-labelledby");
    if (shown) {
      shown.setAttribute("aria-label", name);
      box.setAttribute("aria-describedby", shown.id);
    }
  }
}

nameBoxes();
new MutationObserver(nameBoxes).observe(document.body, { childList: true, subtree: true });

// A table that scrolls sideways can be reached by keyboard, whether or not it holds fields.
for (const table of document.querySelectorAll(".inline-group, .results")) {
  if (table.scrollWidth > table.clientWidth) table.tabIndex = 0;
}
