// Keeps the sections marked data-refresh up to date by fetching the same address again. Pages are complete without it.
"use strict";

(() => {
  const button = document.getElementById("live");
  if (!button) return;

  const stale = document.getElementById("stale");
  const word = button.querySelector(".word");
  const seconds = Number(button.dataset.seconds) || 5;
  let paused = "paused" in button.dataset;
  let last = Date.now();

  // A reader who has put the focus, a selection or an unfolded value into a section keeps that section as it is. Folds
  // with an id are no reason to wait: they stay open across a replacement.
  function inUse(section) {
    const selection = document.getSelection();
    return section.contains(document.activeElement)
      || (selection && !selection.isCollapsed && section.contains(selection.anchorNode))
      || section.querySelector("details[open]:not([id])") !== null;
  }

  function replace(fresh) {
    for (const section of document.querySelectorAll("[data-refresh]")) {
      const next = fresh.getElementById(section.id);
      if (!next || inUse(section) || next.isEqualNode(section)) continue;
      const scrolled = [...section.querySelectorAll(".scroll")].map((box) => box.scrollLeft);
      for (const fold of section.querySelectorAll("details[open]")) next.querySelector("#" + fold.id)?.setAttribute("open", "");
      section.replaceWith(document.importNode(next, true));
      document.getElementById(section.id).querySelectorAll(".scroll").forEach((box, i) => {
        box.scrollLeft = scrolled[i] || 0;
      });
    }
  }

  function complain(reason) {
    const age = Math.round((Date.now() - last) / 1000);
    stale.textContent = `Not up to date for ${age} s: ${reason}`;
    stale.hidden = false;
  }

  async function refresh() {
    if (paused || document.hidden) return;
    try {
      const answer = await fetch(location.href, { signal: AbortSignal.timeout(15000) });
      if (!answer.ok) {
        complain(answer.status === 503 ? "the store does not answer." : `status ${answer.status}.`);
        return;
      }
      replace(new DOMParser().parseFromString(await answer.text(), "text/html"));
      last = Date.now();
      stale.hidden = true;
    } catch {
      complain("sundew cannot be reached.");
    }
  }

  async function loop() {
    await refresh();
    setTimeout(loop, seconds * 1000);
  }

  // The address says whether the page refreshes itself, so that a link or a reload keeps the choice.
  function show() {
    word.textContent = paused ? "Paused" : "Live";
    button.title = paused ? "Resume: refresh every " + seconds + " seconds" : "Pause the refresh every " + seconds + " seconds";
    button.classList.toggle("paused", paused);
    button.setAttribute("aria-pressed", String(!paused));
  }

  button.addEventListener("click", () => {
    paused = !paused;
    const url = new URL(location.href);
    if (paused) url.searchParams.set("refresh", "off");
    else url.searchParams.delete("refresh");
    history.replaceState(null, "", url);
    show();
    refresh();
  });

  document.addEventListener("visibilitychange", refresh);
  button.hidden = false;
  show();
  setTimeout(loop, seconds * 1000);
})();
