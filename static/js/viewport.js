/** Keeps the page as high as what a phone's keyboard leaves of the screen, where 100dvh does not know of it. */
export function followKeyboard() {
  const viewport = window.visualViewport;
  if (!viewport) return;
  const follow = () => {
    if (viewport.scale > 1.01) return; // zoomed in: the reader chose what to look at
    document.documentElement.style.setProperty("--screen", `${Math.round(viewport.height)}px`);
    if (document.activeElement?.matches("textarea")) window.scrollTo(0, 0);
  };
  viewport.addEventListener("resize", follow);
  follow();
}
