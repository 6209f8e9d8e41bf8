/** Times of admin pages in the reader's own zone and language: <time datetime=… data-moment>. */

const shown = new Intl.DateTimeFormat(document.documentElement.lang || "en", {
  year: "numeric",
  month: "short",
  day: "numeric",
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hourCycle: "h23",
});

for (const element of document.querySelectorAll("time[data-moment]")) {
  const at = Date.parse(element.dateTime);
  if (!Number.isNaN(at)) element.textContent = shown.format(at);
}
