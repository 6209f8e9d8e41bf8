/** The page's own sentences (#desk-words), and the place where screen readers hear them. */

const KEPT_FOR = 10_000;

export function words(name, values = {}) {
  const sentence = document.getElementById("desk-words").dataset[name];
  return sentence.replace(/\{(\w+)\}/g, (whole, key) => values[key] ?? whole);
}

/** Have a sentence read out without showing it. */
export function say(sentence) {
  const place = document.getElementById("announcements");
  const line = document.createElement("p");
  line.textContent = sentence;
  place.append(line);
  setTimeout(() => line.remove(), KEPT_FOR); // read by then; later it would only stand in the way of who looks around
}
