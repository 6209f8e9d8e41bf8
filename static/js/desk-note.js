/** The toggle "Internal note": the box changes its colour, its label, what its button says, and who reads it. */

export function startNote(composer) {
  const { form, field } = composer;
  const button = form.querySelector("[data-note]");
  const strip = form.querySelector("[data-note-strip]");
  const label = form.querySelector(`label[for="${field.id}"]`);
  const submit = form.querySelector("[data-send-words]");
  const words = { label: label.textContent, placeholder: field.placeholder, send: submit.textContent };

  composer.extend({
    noted(isNote) {
      const { label: noteLabel, placeholder, send } = isNote ? button.dataset : words;
      button.setAttribute("aria-pressed", isNote);
      strip.hidden = !isNote;
      label.textContent = noteLabel;
      field.placeholder = placeholder;
      submit.textContent = send;
    },
  });
  const turn = (isNote) => {
    composer.setNote(isNote);
    composer.focus();
  };
  button.hidden = false;
  button.addEventListener("click", () => turn(!composer.isNote));
  strip.querySelector("button").addEventListener("click", () => turn(false));
}
