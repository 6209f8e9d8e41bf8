/** Makes a drop-down with search of a <select data-search>; without the vendored script the drop-down stays as it is. */

const boxes = new Set();

/** A box looks at its field ten times a second for as long as nobody tells it that it left the page. */
function stopThoseThatLeft() {
  for (const box of [...boxes].filter((one) => !one.isConnected)) {
    clearTimeout(box._component?.$pollInput);
    boxes.delete(box);
  }
}

function optionOf(select, text) {
  return [...select.options].find((option) => option.value && option.textContent.trim() === text.trim());
}

function choose(select, text) {
  select.value = optionOf(select, text ?? "")?.value ?? "";
}

/** All that stands in it is shown at once; typing narrows it down. Its sentences are data attributes of the select. */
export function enhanceSelect(select) {
  if (!window.accessibleAutocomplete || select.dataset.isEnhanced) return;
  select.dataset.isEnhanced = "true";
  const { none, one, many, chosen, hint } = select.dataset;
  const { id } = select;
  const described = select.getAttribute("aria-describedby");
  const isInvalid = select.getAttribute("aria-invalid") === "true";
  const label = document.querySelector(`label[for="${id}"]`);
  label.id ||= `${id}-label`;
  window.accessibleAutocomplete.enhanceSelectElement({
    selectElement: select,
    defaultValue: select.value ? select.selectedOptions[0].textContent.trim() : "",
    name: "",
    autoselect: false,
    confirmOnBlur: true,
    showAllValues: true,
    displayMenu: "overlay",
    dropdownArrow: ({ className }) => `<svg class="${className} icon-svg" viewBox="0 0 24 24" aria-hidden="true"><path d="m6 9 6 6 6-6"/></svg>`,
    menuAttributes: { "aria-labelledby": label.id },
    onConfirm: (text) => text !== undefined && choose(select, text),
    tNoResults: () => none,
    tAssistiveHint: () => hint,
    tStatusQueryTooShort: () => hint,
    tStatusNoResults: () => none,
    tStatusSelectedOption: (option) => chosen.replace("{option}", () => option),
    tStatusResults: (length) => (length === 1 ? one : many.replace("{count}", length)),
  });
  const input = document.getElementById(id);
  stopThoseThatLeft();
  boxes.add(input.closest(".autocomplete__wrapper"));
  if (isInvalid) input.setAttribute("aria-invalid", "true");
  if (described) input.setAttribute("aria-describedby", described);
  // What is typed and is no reason must not send the reason chosen before.
  input.addEventListener("input", () => choose(select, input.value));
  // Shown at once, but not over the sentence that says what is wrong.
  let isErrorUnread = isInvalid;
  input.addEventListener("focus", () => {
    if (!isErrorUnread) setTimeout(() => input.getAttribute("aria-expanded") === "false" && input.click());
    isErrorUnread = false;
  });
}
