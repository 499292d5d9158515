// The learning curves: along which axis, of what, in whose colours, how smooth.
const FAINT = 0.45;

function switched(name, fallback) {
  const input = document.querySelector(`.switch [name="${name}"]:checked, .switch select[name="${name}"]`);
  return page.views[name] ?? input?.value ?? fallback;
}

// An exponential moving average without the bias of its start, each line by itself.
function smoothed(y, weight) {
  let mean = 0, total = 0;
  return y.map((value) => {
    if (value === null) { mean = 0; total = 0; return null; }
    mean = weight * mean + (1 - weight) * value;
    total = weight * total + 1 - weight;
    return mean / total;
  });
}

// The parts of a line trace in the colours of a setting: each part a trace of its own.
function parted(trace, { groups, of }, shown) {
  const places = groups.map(() => []);
  let group;
  trace.customdata.forEach((name, place) => {
    group = name === null ? group : of[name];
    if (group !== undefined) places[group].push(place);
  });
  return groups.flatMap(({ label, colour }, index) => {
    if (!places[index].length) return [];
    const part = picked(trace, places[index]);
    const showlegend = !shown.has(index);
    shown.add(index);
    return [{ ...part, name: label, legendgroup: label, legendrank: index, showlegend, line: { ...trace.line, color: colour } }];
  });
}

// The label of each group beside its best line's end; where two would touch, the lower one moves down,
// or the upper one up above the axis.
function endLabels(traces, log, height, range) {
  const ends = new Map();
  for (const { name, x, y, line } of traces) {
    let last = y.length - 1;
    while (last >= 0 && y[last] === null) last -= 1;
    for (let place = 0; place <= last; place += 1) {
      const isEnd = y[place] !== null && (y[place + 1] ?? null) === null;
      const known = ends.get(name);
      const end = { x: x[place], y: log ? Math.log10(y[place]) : y[place], colour: line.color };
      if (isEnd && (!known || end.x > known.x || (end.x === known.x && end.y < known.y))) ends.set(name, end);
    }
  }
  const all = [...ends].filter(([, { y }]) => Number.isFinite(y)).sort(([, a], [, b]) => b.y - a.y);
  if (all.length < 2 || all.length > 12) return [];
  const heights = traces.flatMap(({ y }) => y.filter((value) => value !== null)).map((y) => (log ? Math.log10(y) : y));
  const extent = (most) => heights.reduce((a, b) => most(a, b));
  const [low, high] = range ?? [extent(Math.min), extent(Math.max)];
  const pixels = (0.8 * height) / (high - low || 1);
  const places = all.map(([, { y }]) => -y * pixels);
  for (let index = 1; index < all.length; index += 1) places[index] = Math.max(places[index], places[index - 1] + 13);
  let free = -low * pixels; // none stands below the axis
  for (let index = all.length - 1; index >= 0; index -= 1) {
    places[index] = Math.min(places[index], free);
    free = places[index] - 13;
  }
  return all.map(([text, { x, y, colour }], index) => {
    const at = -y * pixels;
    const placed = places[index];
    return { text, x, y, yshift: at - placed, xshift: 4, xanchor: "left", showarrow: false, font: { size: 11, color: colour } };
  });
}

// The lines in the colours of the setting that is chosen. The best of all stays in ink.
function coloured(traces, colouring) {
  const shown = new Set();
  return traces.flatMap((trace) => {
    if (!isColoured(trace)) return [trace];
    const faint = colouring.name !== "status" && trace.opacity < 0.5;
    return parted(trace, colouring, shown).map((part) => ({ ...part, opacity: faint ? FAINT : trace.opacity }));
  });
}

const isColoured = ({ meta, line }) => meta === "trials" && line.color !== "@ink";

function curves(figure) {
  const { axes, measures = {}, colourings = [] } = figure;
  const { title, x, shapes } = axes[switched("axis", "step")];
  const measure = measures[switched("measure", Object.keys(measures)[0])] ?? {};
  const weight = Number(switched("smoothing", "0"));
  const layout = { ...figure.layout, shapes };
  layout.xaxis = { ...layout.xaxis, title: { ...layout.xaxis.title, text: title } };
  if (measure.title) {
    const text = measure.title + (weight ? ", smoothed" : "");
    layout.yaxis = { ...layout.yaxis, title: { ...layout.yaxis.title, text }, type: measure.log ? "log" : "linear" };
  }
  if (measure.y) delete layout.yaxis.range;
  let traces = figure.data.slice(0, -1).map((trace, index) => {
    if (trace.meta !== "trials") return { ...trace, x: x[index], visible: measure.y ? false : trace.visible }; // marks are of the objective
    const line = filtered({ ...trace, x: x[index], y: measure.y ? measure.y[index] : trace.y });
    return weight ? { ...line, y: smoothed(line.y, weight) } : line;
  });
  const colouring = colourings.find(({ name }) => name === switched("colour", colourings[0].name));
  if (colouring) {
    traces = coloured(traces, colouring);
    layout.annotations = endLabels(traces.filter(isColoured), measure.log, layout.height, layout.yaxis.range);
    const longest = Math.max(0, ...layout.annotations.map(({ text }) => text.length));
    layout.margin = { ...layout.margin, r: 12 + 7 * longest };
    layout.legend = { ...layout.legend, title: { text: `${colouring.name}  ` } };
    if (innerWidth < 640 && layout.annotations.length) layout.showlegend = false; // it would take half a phone
  }
  return { data: [...traces, figure.data.at(-1)], layout };
}

document.addEventListener("change", ({ target }) => {
  if (!target.closest(".switch")) return;
  page.views[target.name] = target.value;
  redraw((figure) => figure?.axes);
});
