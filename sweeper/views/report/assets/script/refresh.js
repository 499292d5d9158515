// A newer page of the same sweep in the place of this one, without losing what its reader has chosen:
// the filter, the sorting, the switches, the trial, the zoom of each figure, what is unfolded, the cursor.
function refresh(html) {
  const fresh = new DOMParser().parseFromString(html, "text/html");
  const text = filterText();
  const focused = focusedNow();
  const opened = new Set([...document.querySelectorAll("details[open]")].map(({ id }) => id));
  page.data = JSON.parse(fresh.getElementById("data").textContent);
  for (const element of fresh.querySelectorAll("[data-figure]")) {
    const here = document.getElementById(element.id);
    if (here) element.replaceWith(here); // with its zoom
  }
  for (const part of ["header", "main"]) document.querySelector(part).replaceWith(fresh.querySelector(part));
  document.title = fresh.title;
  for (const element of drawn) if (!element.isConnected) drawn.delete(element);
  for (const [name, value] of Object.entries(page.views)) {
    document.querySelectorAll(`.switch [name="${name}"]`).forEach((input) => {
      if (input.type === "radio") input.checked = input.value === value;
      else input.value = value;
    });
  }
  document.querySelectorAll(".status-filter").forEach((button) => {
    button.setAttribute("aria-pressed", String(!hiddenStatuses.has(button.dataset.status)));
  });
  readTable();
  sort();
  const filter = document.getElementById("filter");
  if (filter) filter.value = text;
  fill();
  arrangeAxes();
  if (!(page.chosen in page.data.trials)) page.chosen = null;
  showChoice();
  redraw();
  watch();
  document.querySelectorAll("details").forEach((element) => { element.open = opened.has(element.id); });
  focused();
}

// Puts the cursor back where it was, in a field of the same name.
function focusedNow() {
  const { id, name, type, selectionStart: start, selectionEnd: end } = document.activeElement ?? {};
  if (!id && !name) return () => {};
  const selector = id ? `#${CSS.escape(id)}` : `[name="${name}"]${type === "radio" ? ":checked" : ""}`;
  return () => {
    const field = document.querySelector(selector);
    field?.focus({ preventScroll: true });
    if (Number.isInteger(start)) field?.setSelectionRange(start, end);
  };
}

window.report = { refresh };
