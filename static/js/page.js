/** What every page has: ticking times and notices. */

import { showNotice, startNotices } from "./notices.js";
import { startTimes } from "./times.js";

startTimes();
startNotices();

// A refusal is shown even when the element that asked has been replaced meanwhile.
document.addEventListener("htmx:afterRequest", ({ detail: { xhr } }) => {
  if (!xhr?.getResponseHeader("Livedesk-Notice")) return;
  const answer = new DOMParser().parseFromString(xhr.responseText, "text/html");
  showNotice(answer.querySelector("p").textContent);
});
