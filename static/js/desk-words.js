/** The page's own sentences (#desk-words), and the place where screen readers hear them. */

export function words(name, values = {}) {
  const sentence = document.getElementById("desk-words").dataset[name];
  return sentence.replace(/\{(\w+)\}/g, (whole, key) => values[key] ?? whole);
}

let told = "";

/** Read out what a fragment brought (data-announce), once for as long as it stands there. */
export function sayWhatIsNew() {
  const sentence = document.querySelector("[data-announce]")?.textContent.trim() ?? "";
  if (sentence && sentence !== told) say(sentence);
  told = sentence;
}

/** Have a sentence read out without showing it. */
export function say(sentence) {
  const place = document.getElementById("announcements");
  const line = document.createElement("p");
  line.textContent = sentence;
  place.append(line);
  while (place.children.length > 5) place.firstElementChild.remove();
}
