// The fronts: under the filter, those of the trials that are shown. As in figures/costs.py.
function fronted(traces, { sign, labels, most, edge }) {
  const others = traces.find(({ name }) => name === "others");
  const line = traces.find(({ name }) => name === "front");
  if (page.matching === null || !others) return traces;
  const all = Object.fromEntries(["x", "y", "customdata", "hovertext"].map((list) => [list, [...others[list], ...line[list]]]));
  const order = all.x.map((_, place) => place).sort((a, b) => all.x[a] - all.x[b] || sign * (all.y[a] - all.y[b]));
  let best = Infinity;
  const on = new Set();
  for (const place of order) {
    if (sign * all.y[place] >= best) continue;
    best = sign * all.y[place];
    on.add(place);
  }
  const front = picked(all, [...on]);
  const [low, high] = [all.x[order[0]], all.x[order.at(-1)]];
  const names = front.customdata.map((trial) => labels[trial]);
  const text = names.map((name, index) => (name === names[index - 1] || names.length > most ? "" : name));
  const textposition = front.x.map((x) => (Math.log(x / low) > edge * Math.log(high / low) ? "middle left" : "top right"));
  const mode = text.some(Boolean) ? "lines+markers+text" : "lines+markers";
  const shown = new Map([[others, picked(all, order.filter((place) => !on.has(place)))], [line, { ...front, text, textposition, mode }]]);
  return traces.map((trace) => ({ ...trace, ...shown.get(trace) }));
}
