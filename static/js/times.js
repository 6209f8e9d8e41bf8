/**
 * Times in the reader's zone and language, ticking by the server's clock: <time datetime=… data-show=…>.
 *
 * data-show: "clock" (10:02), "date" (23 Nov, 10:07; with the year when it is another one), "day" (Monday 23 November,
 * 10:07), "elapsed" (since, ticking), "left" (until, ticking, never below 0; with data-format="seconds" as bare seconds). Ticking times are role="timer", which screen readers do not announce;
 * never put one into a live region.
 */

const language = pageLanguage();
const clock = new Intl.DateTimeFormat(language, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const date = new Intl.DateTimeFormat(language, {
  day: "numeric",
  month: "short",
  hour: "2-digit",
  minute: "2-digit",
  hourCycle: "h23",
});
const dateOfAnotherYear = new Intl.DateTimeFormat(language, {
  day: "numeric",
  month: "short",
  year: "numeric",
  hour: "2-digit",
  minute: "2-digit",
  hourCycle: "h23",
});
const day = new Intl.DateTimeFormat(language, { weekday: "long", day: "numeric", month: "long" });
const near = new Intl.RelativeTimeFormat(language, { numeric: "auto" });

let offset = 0;
let isTicking = false;

/** The page's language, in the reader's own region when the browser names one (en-GB writes dates unlike en-US). */
function pageLanguage() {
  const base = (document.documentElement.lang || "en").split("-")[0];
  return (navigator.languages ?? []).find((name) => name.split("-")[0] === base && isKnown(name)) ?? base;
}

/** Browsers pass on what the system says, and en-US@posix is no language to Intl. */
function isKnown(name) {
  try {
    return Intl.DateTimeFormat.supportedLocalesOf(name).length > 0;
  } catch {
    return false;
  }
}

/** The server's time, as an ISO string; the reader's own clock may be minutes off. */
export function setNow(iso) {
  const told = Date.parse(iso);
  if (!Number.isNaN(told)) offset = told - Date.now();
}

/** Now, by the server's clock, in milliseconds. */
export function now() {
  return Date.now() + offset;
}

/** "Today", "Yesterday", "Tomorrow", or the day's name. */
export function dayLabel(at) {
  if (Number.isNaN(at)) return "";
  const midnight = (time) => new Date(time).setHours(0, 0, 0, 0);
  const days = Math.round((midnight(at) - midnight(now())) / 86_400_000);
  const label = Math.abs(days) <= 1 ? near.format(days, "day") : day.format(at);
  return label.charAt(0).toLocaleUpperCase(language) + label.slice(1);
}

/** 04:31, or 1:04:31 from an hour on. */
export function duration(milliseconds) {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  const two = (number) => String(number).padStart(2, "0");
  const rest = `${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
  return seconds < 3600 ? rest : `${Math.floor(seconds / 3600)}:${rest}`;
}

function textOf(element) {
  const at = Date.parse(element.dateTime);
  if (Number.isNaN(at)) return "";
  switch (element.dataset.show) {
    case "clock":
      return clock.format(at);
    case "date":
      return (new Date(at).getFullYear() === new Date(now()).getFullYear() ? date : dateOfAnotherYear).format(at);
    case "day":
      return `${dayLabel(at)}, ${clock.format(at)}`;
    case "elapsed":
      return duration(now() - at);
    case "left":
      // Rounded up: a countdown that shows 0 has nothing left.
      if (element.dataset.format === "seconds") return String(Math.max(0, Math.ceil((at - now()) / 1000)));
      return duration(Math.ceil((at - now()) / 1000) * 1000);
    default:
      return element.textContent;
  }
}

/** Write the times below this element, now. */
export function showTimes(root = document) {
  for (const element of root.querySelectorAll("time[data-show]")) {
    const text = textOf(element);
    if (element.textContent !== text) element.textContent = text;
    const ticks = element.dataset.show === "elapsed" || element.dataset.show === "left";
    if (ticks && !element.hasAttribute("role")) element.setAttribute("role", "timer");
  }
}

/** Show and keep all times of the page; calling it again does no harm. */
export function startTimes() {
  showTimes();
  if (isTicking) return;
  isTicking = true;
  setNow(document.querySelector('meta[name="server-now"]')?.content ?? "");
  showTimes();
  setInterval(() => showTimes(document), 1000);
}
