"use strict";
// Draws the figures when they come into view, sorts and filters the table, and shows a chosen trial
// everywhere. A figure's last trace is empty: it is for the chosen trial.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const SHOWN_ROWS = 50;
  const CONFIG = { responsive: true, displayModeBar: false, scrollZoom: false };
  const drawn = new Map(); // key -> element
  let chosen = null;
  let axis = document.querySelector(".switch input:checked")?.value;

  // ---- figures

  async function unpackPlotly() {
    const packed = atob(document.getElementById("plotly").textContent);
    const bytes = new Uint8Array(packed.length);
    for (let index = 0; index < packed.length; index += 1) bytes[index] = packed.charCodeAt(index);
    const unpacked = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    const script = document.createElement("script");
    script.textContent = await new Response(unpacked).text();
    document.head.append(script);
  }

  const ready = unpackPlotly();

  const COLOUR_KEYS = new Set(["color", "bgcolor", "bordercolor", "gridcolor", "linecolor", "colorscale", "fillcolor"]);

  function themed(value, key) {
    if (typeof value === "string") {
      if (value[0] !== "@" || !COLOUR_KEYS.has(key)) return value;
      return getComputedStyle(document.documentElement).getPropertyValue("--" + value.slice(1)).trim();
    }
    if (Array.isArray(value)) {
      return COLOUR_KEYS.has(key) || Array.isArray(value[0]) || typeof value[0] === "object"
        ? value.map((item) => themed(item, key)) : value;
    }
    if (value === null || typeof value !== "object") return value;
    return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, themed(item, name)]));
  }

  function along(key, figure) {
    if (!figure.axes) return figure;
    const { title, x, shapes } = figure.axes[axis];
    const traces = figure.data.map((trace, index) => (x[index] ? { ...trace, x: x[index] } : trace));
    const layout = { ...figure.layout, shapes };
    layout.xaxis = { ...layout.xaxis, title: { ...layout.xaxis.title, text: title } };
    return { data: traces, layout };
  }

  function points(traces) {
    const found = { x: [], y: [] };
    if (chosen === null) return found;
    for (const { x, y, customdata, type } of traces) {
      if (!customdata || type === "heatmap") continue;
      let gap = found.x.length > 0;
      customdata.forEach((name, index) => {
        if (name !== chosen) return;
        if (gap) { found.x.push(null); found.y.push(null); gap = false; }
        found.x.push(x[index]); found.y.push(y[index]);
      });
    }
    return found;
  }

  function draw(element) {
    const key = element.dataset.figure;
    const { data: traces, layout } = themed(along(key, data.figures[key]));
    Object.assign(traces[traces.length - 1], points(traces));
    layout.dragmode = matchMedia("(pointer: coarse)").matches ? false : "zoom";
    Plotly.react(element, traces, layout, CONFIG);
    if (drawn.has(key)) return;
    drawn.set(key, element);
    element.on("plotly_click", ({ points: [point] }) => {
      const name = point && point.customdata;
      if (typeof name === "string") choose(name);
    });
  }

  function redraw() {
    for (const element of drawn.values()) draw(element);
  }

  const seen = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      seen.unobserve(target);
      ready.then(() => draw(target));
    }
  }, { rootMargin: "300px" });
  document.querySelectorAll("[data-figure]").forEach((element) => seen.observe(element));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  addEventListener("beforeprint", () => document.querySelectorAll("[data-figure]").forEach(draw));

  document.querySelectorAll(".switch input").forEach((input) => {
    input.addEventListener("change", () => {
      axis = input.value;
      if (drawn.has("curves")) draw(drawn.get("curves"));
    });
  });

  // ---- the chosen trial

  const details = document.getElementById("details");
  const table = document.getElementById("trial-table");
  const rows = table ? [...table.tBodies[0].rows] : [];
  const rowOf = new Map(rows.map((row) => [row.dataset.trial, row]));
  const columns = table ? [...table.tHead.rows[0].cells].slice(2).map((cell) => cell.textContent.trim()) : [];

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

  function shownOf(name) { // its row in the table
    const cells = [...rowOf.get(name).cells].slice(2); // beyond its id and its status
    return Object.fromEntries(cells.map((cell, index) => [columns[index], cell.textContent]));
  }

  function describe(name) {
    const trial = data.trials[name];
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
    config.append(node("summary", "its other settings"), listing({ ...data.shared, ...trial.config }));
    parts.push(config);
    details.replaceChildren(...parts);
  }

  function choose(name) {
    chosen = name === chosen ? null : name;
    if (!(chosen in data.trials)) chosen = null;
    details.hidden = chosen === null;
    if (chosen !== null) describe(chosen);
    [...rows, ...document.querySelectorAll(".chip[data-trial]")].forEach((element) => {
      element.classList.toggle("selected", element.dataset.trial === chosen);
    });
    for (const element of drawn.values()) {
      const last = element.data.length - 1;
      const { x, y } = points(element.data.slice(0, last));
      Plotly.restyle(element, { x: [x], y: [y] }, [last]);
    }
  }

  document.addEventListener("click", ({ target }) => {
    const of = target.closest("[data-trial]");
    if (of) choose(of.dataset.trial);
  });
  addEventListener("keydown", ({ key }) => { if (key === "Escape" && chosen !== null) choose(null); });

  // ---- copying

  document.querySelectorAll(".copy").forEach((button) => {
    button.addEventListener("click", async () => {
      const code = button.parentElement.querySelector("code");
      try {
        await navigator.clipboard.writeText(code.textContent);
        button.textContent = "copied";
      } catch { // no clipboard there: the text is selected, to copy by hand
        getSelection().selectAllChildren(code);
        button.textContent = "selected";
      }
    });
  });

  // ---- the table

  if (!table) return;
  const body = table.tBodies[0];
  const search = document.getElementById("filter");
  const shown = document.getElementById("shown");
  const showAll = document.getElementById("show-all");
  const hiddenStatuses = new Set();
  let limit = SHOWN_ROWS;

  function matching() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    return rows.filter((row) => {
      if (hiddenStatuses.has(row.dataset.status)) return false;
      const text = words.length ? row.textContent.toLowerCase() : "";
      return words.every((word) => text.includes(word));
    });
  }

  function fill() {
    const found = matching();
    body.replaceChildren(...found.slice(0, limit));
    const number = found.length.toLocaleString("en");
    shown.textContent = found.length > limit ? `the first ${limit} of ${number}` : `${number} shown`;
    showAll.hidden = found.length <= limit;
    showAll.textContent = `Show all ${number}`;
  }

  function compare(a, b) {
    const numeric = [a, b].every((key) => key !== "" && !Number.isNaN(Number(key)));
    return numeric ? Number(a) - Number(b) : a < b ? -1 : a > b ? 1 : 0;
  }

  [...table.tHead.rows[0].cells].forEach((heading, column) => {
    heading.addEventListener("click", () => {
      const order = heading.getAttribute("aria-sort") === "ascending" ? "descending" : "ascending";
      for (const other of table.tHead.rows[0].cells) other.setAttribute("aria-sort", "none");
      heading.setAttribute("aria-sort", order);
      const sign = order === "ascending" ? 1 : -1;
      const key = ({ cells }) => cells[column].dataset.key ?? cells[column].textContent;
      rows.sort((a, b) => { // what has no value comes last either way
        if (key(a) === "" || key(b) === "") return (key(a) === "") - (key(b) === "");
        return sign * compare(key(a), key(b));
      });
      fill();
    });
  });
  search.addEventListener("input", () => { limit = SHOWN_ROWS; fill(); });
  showAll.addEventListener("click", () => { limit = Infinity; fill(); });
  document.querySelectorAll(".status-filter").forEach((button) => {
    button.addEventListener("click", () => {
      const { status } = button.dataset;
      if (!hiddenStatuses.delete(status)) hiddenStatuses.add(status);
      button.setAttribute("aria-pressed", String(!hiddenStatuses.has(status)));
      fill();
    });
  });
  fill();
})();
