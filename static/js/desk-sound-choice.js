/** The dialog Sounds: hear the choice, then keep it. */

import { canSound, play, setSounds } from "./desk-sound.js";

const dialog = document.getElementById("sounds");
const form = document.getElementById("sounds-form");
const kept = document.getElementById("desk").dataset;

function chosen() {
  const fields = new FormData(form);
  return {
    sound: fields.get("request_sound"),
    volume: fields.get("sound_volume"),
    messageSound: fields.has("has_message_sound") ? "on" : "off",
  };
}

/** What was tried and not saved goes back to what is kept. */
function putBack({ sound, volume, messageSound }) {
  form.querySelector(`[name="request_sound"][value="${sound}"]`).checked = true;
  form.querySelector("[name='sound_volume']").value = volume;
  form.querySelector("[name='has_message_sound']").checked = messageSound === "on";
}

export function startSoundChoice() {
  dialog.querySelector("[data-sound-missing]").hidden = canSound();
  dialog.addEventListener("click", (event) => {
    if (event.target.closest("[data-test-sound]")) {
      const { sound, volume } = chosen();
      play(sound, Number(volume));
    }
  });
  dialog.addEventListener("close", () => putBack(kept));
  document.body.addEventListener("htmx:afterRequest", ({ detail }) => {
    if (detail.elt !== form || detail.xhr.status !== 204) return;
    setSounds(chosen());
    dialog.close();
  });
}
