// Parallel coordinates: its axes in another order, and what is brushed on them, which is written into
// the filter of the table: the filter alone says which trials are shown.
const orders = {}; // of a figure by its key: its axes from left to right

function orderOf(key) {
  const all = page.data.figures[key].names.map((_, index) => index);
  const order = orders[key];
  return order && order.length === all.length ? order : all;
}

function reordered(figure) {
  const order = orderOf("parallel");
  const place = (axis) => (axis === null ? null : order.indexOf(axis));
  const data = figure.data.map((trace) => {
    if (trace.meta !== "trials") return trace;
    const step = order.length + 1; // each trial has a point on each axis, and a gap
    const of = (list) => list.map((_, index) => {
      const axis = order[index % step];
      return axis === undefined ? null : list[index - (index % step) + axis];
    });
    return { ...trace, x: trace.x.map((axis, index) => (axis === null ? null : index % step)), y: of(trace.y) };
  });
  const { layout } = figure;
  const ticktext = order.map((axis) => layout.xaxis.ticktext[axis]);
  const annotations = layout.annotations.map((label) => ({ ...label, x: place(label.x) }));
  return { data, layout: { ...layout, annotations, xaxis: { ...layout.xaxis, ticktext } } };
}

document.addEventListener("click", ({ target }) => {
  const button = target.closest(".move");
  if (!button) return;
  const order = [...orderOf("parallel")];
  const from = order.indexOf(Number(button.dataset.axis));
  const to = from + Number(button.dataset.by);
  if (to < 0 || to >= order.length) return;
  [order[from], order[to]] = [order[to], order[from]];
  orders.parallel = order;
  arrangeAxes();
  button.focus();
  redraw((figure) => figure?.names);
});

function arrangeAxes() {
  const list = document.getElementById("axes");
  if (!list) return;
  const items = [...list.children];
  const of = (axis) => items.find((item) => Number(item.dataset.axis) === axis);
  list.append(...orderOf("parallel").map(of));
}

// The value of an axis at a height: by its scale, or the names that lie between two heights.
function brushedTerms({ name, low, high, scale, options }, from, to) {
  if (options) {
    const last = Math.max(1, options.length - 1);
    const among = options.filter((_, index) => index / last >= from && index / last <= to);
    return among.length ? [`${asAtom(name)}=${among.map(asAtom).join("|")}`] : [];
  }
  const value = (height) => {
    const at = scale === "log" ? low * (high / low) ** height : low + (high - low) * height;
    const finer = Math.ceil(Math.log10(Math.abs(at) / Math.abs(high - low))); // than three digits
    return Number(at.toPrecision(Math.min(15, 3 + Math.max(0, finer || 0))));
  };
  const [least, most] = [value(from), value(to)].sort((a, b) => a - b);
  // to an end of the axis there is no bound: what lies beyond crosses there, too
  return [...(from > 0 ? [`${asAtom(name)}${low < high ? ">=" : "<="}${low < high ? least : most}`] : []),
    ...(to < 1 ? [`${asAtom(name)}${low < high ? "<=" : ">="}${low < high ? most : least}`] : [])];
}

function brushed(key, event) {
  const { names } = page.data.figures[key];
  if (!names || !event?.range) return;
  const [left, right] = [...event.range.x].sort((a, b) => a - b);
  const [from, to] = [...event.range.y].sort((a, b) => a - b);
  const among = orderOf(key).filter((_, place) => place >= left && place <= right);
  const axes = among.length ? among : [orderOf(key)[Math.round((left + right) / 2)]].filter((axis) => axis !== undefined);
  const terms = axes.flatMap((axis) => brushedTerms(names[axis], from, to));
  const kept = termsOf(filterText()).filter((term) => !axes.some((axis) => term.name === names[axis].name));
  setFilter([...kept.map(({ text }) => text), ...terms].join(" "));
}
