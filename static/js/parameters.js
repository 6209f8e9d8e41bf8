/**
 * The <parameters> of a template in the compose box: highlighted, gone through with Tab, and never sent unfilled.
 *
 * A textarea cannot colour its text, so a mirror of it lies underneath with marks in the same places. The line
 * [data-parameters] names what is still to fill for whoever does not see the marks.
 */

const PARAMETER = /<[^<>\n]+>/g;

function parametersIn(text) {
  return [...text.matchAll(PARAMETER)].map((found) => ({
    name: found[0],
    start: found.index,
    end: found.index + found[0].length,
  }));
}

/** Select the first parameter from a place on; answers whether there is one. */
export function selectParameter(field, from = 0) {
  const next = parametersIn(field.value).find(({ start }) => start >= from);
  if (next) field.setSelectionRange(next.start, next.end);
  return Boolean(next);
}

function selectParameterBefore(field, place) {
  const before = parametersIn(field.value).findLast(({ end }) => end <= place);
  if (before) field.setSelectionRange(before.start, before.end);
  return Boolean(before);
}

function draw(mirror, text, parameters) {
  mirror.replaceChildren();
  let done = 0;
  for (const { name, start, end } of parameters) {
    const mark = document.createElement("mark");
    mark.textContent = name;
    mirror.append(text.slice(done, start), mark);
    done = end;
  }
  mirror.append(`${text.slice(done)}\n`); // a line break at the very end has a line of its own in a textarea
}

export function startParameters(composer) {
  const { field, form } = composer;
  const line = form.querySelector("[data-parameters]");
  const mirror = document.createElement("div");
  mirror.className = "mirror";
  mirror.setAttribute("aria-hidden", "true");
  mirror.hidden = true;
  field.before(mirror);
  const follow = () => (mirror.scrollTop = field.scrollTop);
  field.addEventListener("scroll", follow, { passive: true });

  composer.extend({
    changed() {
      const parameters = composer.isNote ? [] : parametersIn(composer.text);
      mirror.hidden = !parameters.length;
      line.hidden = !parameters.length;
      const names = [...new Set(parameters.map(({ name }) => name))].join(", ");
      const said = parameters.length ? line.dataset.words.replace("{parameters}", names) : "";
      if (line.textContent !== said) line.textContent = said;
      draw(mirror, parameters.length ? composer.text : "", parameters);
      follow();
    },
    key(event) {
      if (event.key !== "Tab" || event.ctrlKey || event.altKey || event.metaKey) return false;
      // After the last one Tab goes on to the tools, as everywhere.
      if (event.shiftKey) return selectParameterBefore(field, field.selectionStart);
      return selectParameter(field, field.selectionEnd);
    },
    check(post) {
      const [first] = post.note ? [] : parametersIn(post.text);
      if (!first) return "";
      selectParameter(field);
      return line.dataset.sentence.replace("{parameter}", first.name);
    },
  });
}
