/** Says in words how the connection is (templates/_connection.html), and counts down to the next try. */

let ticker = 0;

/** Show the words for this status; "connecting" and "connected" need none. */
export function showConnection(status, detail = {}) {
  const banner = document.getElementById("connection");
  if (!banner) return;
  clearInterval(ticker);
  banner.dataset.status = status;
  let hasWords = false;
  for (const part of banner.querySelectorAll("[data-when]")) {
    part.hidden = part.dataset.when !== status;
    hasWords ||= !part.hidden;
  }
  banner.hidden = !hasWords;
  const place = banner.querySelector("[data-seconds]");
  if (place && status === "lost") countDown(place, detail.seconds ?? 0);
}

function countDown(place, seconds) {
  const until = Date.now() + seconds * 1000;
  const show = () => {
    const left = Math.ceil((until - Date.now()) / 1000);
    place.textContent = left > 0 ? place.dataset.words.replace("{seconds}", left) : "";
  };
  show();
  ticker = setInterval(show, 1000);
}
