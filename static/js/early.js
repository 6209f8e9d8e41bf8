// Loaded before the page is drawn: marks a button that is clicked before the page's modules listen (desk-press.js).
document.addEventListener("click", ({ target }) => {
  const button = target.closest("button[id][type='button']");
  if (!button || "listening" in document.documentElement.dataset) return;
  for (const other of document.querySelectorAll("[data-pressed-early]")) other.removeAttribute("data-pressed-early");
  button.dataset.pressedEarly = "";
});
