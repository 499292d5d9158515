// Draws the figures when they come into view, in the colours of the theme. What a figure says stands
// in `page.data`, which may change (`refresh`); what a reader has chosen stands in `page`, and stays.
// A figure's last trace is empty: it is for the chosen trial.
const page = {
  data: JSON.parse(document.getElementById("data").textContent),
  chosen: null, // a trial
  matching: null, // the trials that the filter lets through; null: all of them
  views: {}, // what the switches say, by their names
};
const CONFIG = { responsive: true, displayModeBar: false, scrollZoom: false };
const COLOUR_KEYS = new Set(["color", "bgcolor", "bordercolor", "gridcolor", "linecolor", "colorscale", "fillcolor"]);
const LISTS = ["x", "y", "customdata", "text", "hovertext", "textposition"]; // of a trace, a value for each point
const drawn = new Set(); // elements
const ranges = new WeakMap(); // of each element: those that it was given, and with which switches

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

// The points of a trace at these places; what is no list of points stays as it is.
function picked(trace, places) {
  const { length } = trace.customdata;
  const of = (list) => (Array.isArray(list) && list.length === length ? places.map((place) => list[place]) : list);
  const { marker, error_y: bars } = trace;
  const some = { ...trace };
  for (const name of LISTS) if (name in trace) some[name] = of(trace[name]);
  if (marker) some.marker = { ...marker, color: of(marker.color) };
  if (bars) some.error_y = { ...bars, array: of(bars.array) };
  return some;
}

function filtered(trace) {
  if (page.matching === null || trace.meta !== "trials") return trace;
  const places = [];
  trace.customdata.forEach((name, place) => {
    // a gap is kept behind what is
    if (name === null ? places.at(-1) === place - 1 : page.matching.has(name)) places.push(place);
  });
  return picked(trace, places);
}

function pointsOfChosen(traces) {
  const found = { x: [], y: [] };
  if (page.chosen === null) return found;
  for (const { x, y, customdata, type } of traces) {
    if (!customdata || type === "heatmap") continue;
    let gap = found.x.length > 0;
    customdata.forEach((name, index) => {
      if (name !== page.chosen) return;
      if (gap) { found.x.push(null); found.y.push(null); gap = false; }
      found.x.push(x[index]); found.y.push(y[index]);
    });
  }
  return found;
}

function viewed(figure) {
  if (figure.axes) return curves(figure);
  const { length: optima } = figure.data.filter(({ meta }) => meta === "optimum");
  const traces = figure.data.map(filtered).map((trace) => (
    // beside several the legend would take half a phone; the header and the table of the sizes have them
    trace.meta === "optimum" && optima > 1 && innerWidth < 640 ? { ...trace, showlegend: false } : trace));
  if (figure.front) return { data: fronted(traces, figure.front), layout: figure.layout };
  return figure.names ? reordered({ ...figure, data: traces }) : { data: traces, layout: figure.layout };
}

// Plotly keeps a zoom until the data's own range is another. Here it stays until a switch is turned.
function keepZoom(element, layout) {
  const before = ranges.get(element);
  const given = { revision: layout.uirevision };
  for (const axis of ["xaxis", "yaxis"]) {
    const range = layout[axis]?.range;
    if (!range) continue;
    given[axis] = String(range);
    const { range: shown, autorange } = element.layout?.[axis] ?? {};
    const moved = before?.[axis] ? String(shown) !== before[axis] : autorange === false;
    const zoomed = before?.revision === given.revision && moved;
    layout[axis].range = [...(zoomed ? shown : range)];
  }
  ranges.set(element, given);
}

// One that cannot be drawn says so in its place, and keeps none of the others from it.
function draw(element) {
  if (!drawn.has(element)) element.replaceChildren(); // what it said before
  try {
    plot(element);
  } catch (error) {
    console.error(error);
    drawn.delete(element);
    Plotly.purge(element);
    element.textContent = `This figure could not be drawn: ${error.message}`;
  }
  return drawn.has(element);
}

function plot(element) {
  const figure = page.data.figures[element.dataset.figure];
  const { data: traces, layout } = themed(viewed(figure));
  Object.assign(traces[traces.length - 1], pointsOfChosen(traces));
  layout.dragmode = matchMedia("(pointer: coarse)").matches ? false : layout.dragmode ?? "zoom";
  layout.uirevision = Object.values(page.views).join(); // the zoom stays when the data change
  keepZoom(element, layout);
  Plotly.react(element, traces, layout, CONFIG);
  // Plotly measures text in a picture beside the page, of which nobody is to hear.
  document.getElementById("js-plotly-tester")?.setAttribute("aria-hidden", "true");
  if (drawn.has(element)) return;
  drawn.add(element);
  element.on("plotly_click", ({ points: [point] }) => {
    const name = point && point.customdata;
    if (typeof name === "string") choose(name);
  });
  element.on("plotly_selected", (event) => brushed(element.dataset.figure, event));
}

function redraw(which = () => true) {
  for (const element of drawn) if (which(page.data.figures[element.dataset.figure])) draw(element);
}

function showChosen() {
  for (const element of drawn) {
    const last = element.data.length - 1;
    const { x, y } = pointsOfChosen(element.data.slice(0, last));
    Plotly.restyle(element, { x: [x], y: [y] }, [last]);
  }
}

const near = new Set(); // figures that are near the screen and not drawn, from the top
const seen = new IntersectionObserver((entries) => {
  const drawing = near.size > 0;
  for (const { isIntersecting, target } of entries) {
    if (isIntersecting) near.add(target);
    else near.delete(target);
  }
  if (near.size && !drawing) drawNear();
}, { rootMargin: "300px" });

// One at a time: what is drawn is shown before the next one is begun.
async function drawNear() {
  await ready;
  for (const element of near) {
    if (element.isConnected) draw(element);
    seen.unobserve(element);
    await new Promise((shown) => { requestAnimationFrame(() => setTimeout(shown)); });
    near.delete(element);
  }
}

function watch() {
  document.querySelectorAll("[data-figure]").forEach((element) => { if (!drawn.has(element)) seen.observe(element); });
}

watch();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => redraw());
// Paper is light, and as wide as this, whatever the window is.
const PRINTED = { whole: 680, column: 320 }; // pixels
let unfolded = false; // for paper alone
addEventListener("beforeprint", () => {
  document.documentElement.dataset.printed = "";
  const more = document.getElementById("more-remarks");
  if (more && !more.open) more.open = unfolded = true;
  document.querySelectorAll("[data-figure]").forEach((element) => {
    if (!draw(element)) return;
    Plotly.relayout(element, { width: element.closest(".columns") ? PRINTED.column : PRINTED.whole });
  });
});
addEventListener("afterprint", () => {
  delete document.documentElement.dataset.printed;
  if (unfolded) document.getElementById("more-remarks")?.removeAttribute("open");
  unfolded = false;
  redraw();
  for (const element of drawn) Plotly.relayout(element, { autosize: true });
});

document.addEventListener("click", ({ target }) => {
  const button = target.closest(".picture");
  if (!button) return;
  const element = button.closest("figure").querySelector("[data-figure]");
  ready.then(() => {
    if (!draw(element)) return;
    const { layout } = element;
    const card = themed("@card", "color");
    const whole = { data: element.data, layout: { ...layout, paper_bgcolor: card, plot_bgcolor: card } };
    const { offsetWidth: width, offsetHeight: height } = element;
    Plotly.downloadImage(whole, { format: "png", scale: 2, width, height, filename: element.id });
  });
});
