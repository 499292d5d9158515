// The chosen trial, shown in every figure, in the table and by itself.
function node(tag, text, name) {
  const element = document.createElement(tag);
  if (text !== undefined) element.textContent = text;
  if (name) element.className = name;
  return element;
}

function listing(entries) {
  const list = node("dl", undefined, "listing");
  for (const [name, value] of Object.entries(entries)) list.append(node("dt", name), node("dd", String(value)));
  return list;
}

function shownOf(name) { // its row in the table, beyond its id and its status
  const cells = [...rowOf.get(name).cells];
  return Object.fromEntries(cells.slice(2).map((cell, index) => [columns[index + 2], cell.textContent]));
}

function describe(name) {
  const trial = page.data.trials[name];
  const { status } = rowOf.get(name).dataset;
  const heading = node("h3");
  const title = node("span", ` trial ${name}, ${status}`);
  title.prepend(node("i", undefined, `dot ${status}`));
  const close = node("button", "close", "quiet");
  close.type = "button";
  close.addEventListener("click", () => choose(null));
  heading.append(title, close);
  const parts = [heading, listing(shownOf(name)), listing(trial.facts)];
  if (trial.error) parts.push(node("pre", trial.error));
  const config = node("details");
  config.append(node("summary", "its other settings"), listing(settingsOf(name)));
  parts.push(config);
  document.getElementById("details").replaceChildren(...parts);
}

function showChoice() {
  const { chosen } = page;
  document.getElementById("details").hidden = chosen === null;
  if (chosen !== null) describe(chosen);
  [...rows, ...document.querySelectorAll(".chip[data-trial]")].forEach((element) => {
    element.classList.toggle("selected", element.dataset.trial === chosen);
  });
}

function choose(name) {
  page.chosen = name === page.chosen || !(name in page.data.trials) ? null : name;
  showChoice();
  showChosen();
}

document.addEventListener("click", ({ target }) => {
  const of = target.closest("[data-trial]");
  if (of) choose(of.dataset.trial);
});
addEventListener("keydown", ({ key }) => { if (key === "Escape" && page.chosen !== null) choose(null); });

document.addEventListener("click", async ({ target }) => {
  const button = target.closest(".copy");
  if (!button) return;
  const code = button.parentElement.querySelector("code");
  try {
    await navigator.clipboard.writeText(code.textContent);
    button.textContent = "copied";
  } catch { // no clipboard there: the text is selected, to copy by hand
    getSelection().selectAllChildren(code);
    button.textContent = "selected";
  }
});
