// The table of the trials: sorted, filtered, as CSV. What it shows, all figures show.
const SHOWN_ROWS = 50;
const hiddenStatuses = new Set();
let rows = [], rowOf = new Map(), columns = [], limit = SHOWN_ROWS, sorting = null;

const trialTable = () => document.getElementById("trial-table");
const filterText = () => document.getElementById("filter")?.value ?? "";
const keyOf = (cell) => cell.dataset.key ?? cell.textContent;

function readTable() {
  const table = trialTable();
  rows = table ? [...table.tBodies[0].rows] : [];
  table?.classList.remove("unread");
  rowOf = new Map(rows.map((row) => [row.dataset.trial, row]));
  columns = table ? [...table.tHead.rows[0].cells].map((cell) => cell.textContent.trim()) : [];
}

function settingsOf(name) {
  return { ...page.data.shared, ...page.data.trials[name]?.config };
}

function columnOf(name) { // `loss` and the objective's own name alike
  const index = columns.indexOf(name);
  return index >= 0 ? index : columns.indexOf(name.replace(/^val_/, "").replaceAll("_", " "));
}

// The objective of each trial where the parallel coordinates compare them, by its name: `loss@75`.
const atLevel = (name) => page.data.figures.parallel?.names.find((axis) => axis.name === name)?.values;

function valueOf(row, name) {
  const column = columnOf(name);
  const values = atLevel(name);
  if (values) return String(values[row.dataset.trial] ?? "");
  if (name === "status" || name === "trial") return row.dataset[name];
  return column >= 0 ? keyOf(row.cells[column]) : String(settingsOf(row.dataset.trial)[name] ?? "");
}

const hasName = (name) => columnOf(name) >= 0 || Boolean(atLevel(name)) || rows.some((row) => name in settingsOf(row.dataset.trial));

function fill() {
  if (!rows.length) return;
  const { test, problems, isEmpty } = parsed(filterText(), valueOf, hasName);
  const found = rows.filter((row) => !hiddenStatuses.has(row.dataset.status) && test(row));
  const all = isEmpty && !hiddenStatuses.size;
  const before = page.matching;
  page.matching = all ? null : new Set(found.map((row) => row.dataset.trial));
  trialTable().tBodies[0].replaceChildren(...found.slice(0, limit));
  const number = found.length.toLocaleString("en");
  const count = found.length > limit ? `the first ${limit} of ${number}` : `${number} shown`;
  document.getElementById("shown").textContent = [count, ...problems].join("; ");
  document.getElementById("filter").setAttribute("aria-invalid", String(problems.length > 0));
  const showAll = document.getElementById("show-all");
  showAll.hidden = found.length <= limit;
  showAll.textContent = `Show all ${number}`;
  if (before !== page.matching) redraw();
}

function setFilter(text) {
  document.getElementById("filter").value = text;
  limit = SHOWN_ROWS;
  fill();
}

function compare(a, b) {
  const numeric = [a, b].every((key) => key !== "" && !Number.isNaN(Number(key)));
  return numeric ? Number(a) - Number(b) : a < b ? -1 : a > b ? 1 : 0;
}

function sort() {
  if (sorting === null) return;
  const { column, order } = sorting;
  const headings = trialTable().tHead.rows[0].cells;
  [...headings].forEach((heading, index) => heading.setAttribute("aria-sort", index === column ? order : "none"));
  const sign = order === "ascending" ? 1 : -1;
  const key = ({ cells }) => keyOf(cells[column]);
  rows.sort((a, b) => { // what has no value comes last either way
    if (key(a) === "" || key(b) === "") return (key(a) === "") - (key(b) === "");
    return sign * compare(key(a), key(b));
  });
}

function csv() {
  const quoted = (text) => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const shown = rows.filter((row) => page.matching === null || page.matching.has(row.dataset.trial));
  const lines = shown.map((row) => columns.map((name) => valueOf(row, name)));
  return [columns, ...lines].map((line) => line.map(quoted).join(",") + "\n").join("");
}

document.addEventListener("click", ({ target }) => {
  const heading = target.closest("#trial-table thead th");
  if (heading) {
    const order = heading.getAttribute("aria-sort") === "ascending" ? "descending" : "ascending";
    sorting = { column: heading.cellIndex, order };
    sort();
    fill();
  } else if (target.closest("#show-all")) {
    limit = Infinity;
    fill();
  } else if (target.closest("#csv")) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([csv()], { type: "text/csv" }));
    link.download = "trials.csv";
    link.click();
    URL.revokeObjectURL(link.href);
  }
  const button = target.closest(".status-filter");
  if (!button) return;
  const { status } = button.dataset;
  if (!hiddenStatuses.delete(status)) hiddenStatuses.add(status);
  button.setAttribute("aria-pressed", String(!hiddenStatuses.has(status)));
  fill();
});
document.addEventListener("input", ({ target }) => { if (target.id === "filter") setFilter(target.value); });

readTable();
fill();
