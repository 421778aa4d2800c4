// The layout. Each open group is laid out on its own by dagre, and is then a single box in the group around it. So a
// click changes only the layout of the clicked group and of those around it.

const PAD = 14;
const HEAD = 24;
const PILL = 17;
const MOST_SOURCES = 60;
const MOST_PORTS = 8;
const FONT = 'system-ui, -apple-system, "Segoe UI", "Helvetica Neue", Arial, sans-serif';
const pen = document.createElement("canvas").getContext("2d");
const widths = new Map();

function widthOf(text, size = 12, bold = false) {
  const key = `${size}${bold}${text}`;
  let width = widths.get(key);
  if (width === undefined) {
    pen.font = `${bold ? 600 : 400} ${size}px ${FONT}`;
    width = pen.measureText(text).width;
    widths.set(key, width);
  }
  return width;
}

function clipped(text, most, size, bold) {
  if (widthOf(text, size, bold) <= most) return text;
  let low = 0;
  let high = text.length;
  while (low < high) {
    const mid = (low + high + 1) >> 1;
    if (widthOf(`${text.slice(0, mid)}…`, size, bold) <= most) low = mid;
    else high = mid - 1;
  }
  return `${text.slice(0, low)}…`;
}

const line = (text, size, bold) => ({ text: clipped(text, 240, size, bold), size, bold });
const shortName = (name) => name.split(".").pop();
const sizeSaid = (n) => (n < 1e3 ? `${n}` : n < 1e6 ? `${+(n / 1e3).toPrecision(3)} K` : n < 1e9 ? `${+(n / 1e6).toPrecision(3)} M` : `${+(n / 1e9).toPrecision(3)} G`);

// The text and size of a box, which don't depend on whether it is visible.
function boxOf(key) {
  const place = +key.slice(1);
  if (key[0] === "o") return (ops[place].box ||= opBox(ops[place]));
  if (key[0] === "s") return (sources[place].box ||= sourceBox(sources[place]));
  return (groups[place].box ||= closedBox(groups[place]));
}

function sized(lines, pills = []) {
  const rows = [];
  for (const pill of pills) {
    const last = rows[rows.length - 1];
    if (last && last.width + pill.width + 5 <= 230) {
      pill.x = last.width + 5;
      last.width += pill.width + 5;
    } else {
      pill.x = 0;
      rows.push({ width: pill.width });
    }
    pill.row = rows.length - 1;
  }
  const width = Math.max(44, ...lines.map((l) => widthOf(l.text, l.size, l.bold) + 22), ...rows.map((r) => r.width + 14));
  for (const pill of pills) pill.x += (width - rows[pill.row].width) / 2;
  const text = 10 + lines.reduce((h, l) => h + l.size * 1.3, 0);
  return { lines, pills, width, text, height: text + rows.length * (PILL + 4) + (rows.length ? 2 : 0) };
}

function opBox(op) {
  const says = (op.says || []).join(", ");
  const lines = op.label
    ? [line(op.label, 12, true), line(op.title, 11)]
    : [line(op.title, 12, true)];
  if (says) lines.push(line(says, 10));
  if (op.variable) lines.push(line(op.variable, 11, true));
  const pills = op.pills.slice(0, 8).map((k) => {
    const source = sources[k];
    const value = source.value ?? source.shape ?? "";
    const shared = sourceUsers[k].length > 1 && source.kind === "parameter" ? " (shared)" : "";
    const text = clipped(`${shortName(source.name)} ${value}${shared}`, 200, 10);
    return { k, text, width: widthOf(text, 10) + 12 };
  });
  return sized(lines, pills);
}

function sourceBox(source) {
  const value = source.value ?? source.shape;
  return sized([line(source.name, 12, true), ...(value == null ? [] : [line(`${value}${source.dtype && source.dtype !== "float32" ? ` ${source.dtype}` : ""}`, 10)])]);
}

function closedBox(group) {
  const n = group.high - group.low;
  const numbers = sourcesWithin(group).reduce((sum, k) => sum + (sources[k].kind === "parameter" ? sources[k].elements : 0), 0);
  const said = [`${n.toLocaleString("en")} operation${n === 1 ? "" : "s"}`];
  if (numbers) said.push(`${sizeSaid(numbers)} parameters`);
  return sized([line(`+ ${group.label}`, 12, true), line(said.join(" · "), 10)]);
}

const edgeSaid = (id) => {
  const op = ops[id];
  return id < 0 ? "" : op.shapes[0] + (op.dtypes[0] === "float32" ? "" : ` ${op.dtypes[0]}`);
};

const portKey = (ports, id, side) => (ports.size > MOST_PORTS ? `${side}*` : `${side}${id}`);

function layout(group) {
  if (group.layout) return group.layout;
  const { between, into, out } = flows(group);
  const outer = group.parent === undefined;
  const graph = new dagre.graphlib.Graph({ multigraph: true });
  graph.setGraph({ nodesep: 16, ranksep: 20, edgesep: 12 });
  graph.setDefaultNodeLabel(() => ({ width: 0, height: 0 }));
  const shown = new Set();
  const box = (key) => {
    const place = +key.slice(1);
    const open = key[0] === "g" && groups[place].open;
    const { width, height } = open ? layout(groups[place]) : boxOf(key);
    graph.setNode(key, { width, height });
    shown.add(key);
  };
  group.sources.slice(0, MOST_SOURCES).forEach((k) => box(`s${k}`));
  group.items.forEach((item) => box(item >= 0 ? `o${item}` : `g${-1 - item}`));

  const opened = (key) => (key[0] === "g" && groups[+key.slice(1)].open ? groups[+key.slice(1)] : null);
  const edges = [];
  const said = new Set();
  const connect = (from, to, ids, label = true) => {
    const id = ids.length === 1 ? ids[0] : null;
    const text = label && id !== null && !said.has(id) ? edgeSaid(id) : label && id === null ? `${ids.length} tensors` : "";
    if (id !== null) said.add(id);
    const name = `e${edges.length}`;
    const width = text ? widthOf(text, 9.5) + 6 : 0;
    graph.setEdge(from, to, { width, height: text ? 12 : 0, labelpos: "c", weight: 1, minlen: 1 }, name);
    edges.push({ from, to, ids, text, name });
  };
  for (const { from, to, ids } of between) {
    if (!shown.has(from) || !shown.has(to)) continue;
    const all = [...ids];
    const exits = opened(from) && flows(opened(from)).out.size <= MOST_PORTS;
    const enters = opened(to) && flows(opened(to)).into.size <= MOST_PORTS;
    if (exits || enters) all.forEach((id) => connect(from, to, [id]));
    else connect(from, to, all);
  }
  if (!outer) {
    const ins = new Map();
    for (const [id, tos] of into) {
      const port = portKey(into, id, "i");
      for (const to of tos) {
        const key = `${port} ${to}`;
        if (!ins.has(key)) ins.set(key, { port, to, ids: [] });
        ins.get(key).ids.push(id);
      }
    }
    for (const { port, to, ids } of ins.values()) {
      const enters = opened(to) && flows(opened(to)).into.size <= MOST_PORTS;
      if (enters) ids.forEach((id) => connect(port, to, [id], false));
      else connect(port, to, ids, false);
    }
    for (const id of out) connect(boxIn(group, id), portKey(out, id, "u"), [id], false);
    pinned(graph, [...graph.nodes()].filter((key) => key[0] === "i"), true);
    pinned(graph, [...graph.nodes()].filter((key) => key[0] === "u"), false);
  }
  if (graph.nodeCount() > 24) graph.graph().ranker = "tight-tree"; // looks as good, and is faster
  dagre.layout(graph);
  group.layout = placed(group, graph, edges, shown, outer);
  return group.layout;
}

// Align ports at the border of a group, by connecting them to one invisible node beyond it.
function pinned(graph, ports, above) {
  if (ports.length < 2) return;
  const rim = above ? "rim above" : "rim below";
  for (const port of ports) {
    const ends = above ? [rim, port] : [port, rim];
    graph.setEdge(...ends, { width: 0, height: 0, weight: 4, minlen: 1 }, rim);
  }
}

function placed(group, graph, edges, shown, outer) {
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
  const see = (x, y, w = 0, h = 0) => {
    left = Math.min(left, x - w / 2);
    right = Math.max(right, x + w / 2);
    top = Math.min(top, y - h / 2);
    bottom = Math.max(bottom, y + h / 2);
  };
  for (const key of shown) {
    const { x, y, width, height } = graph.node(key);
    see(x, y, width, height);
  }
  for (const e of edges) {
    const found = graph.edge(e.from, e.to, e.name);
    e.points = found.points.slice(1, -1);
    e.label = e.text ? { x: found.x, y: found.y } : null;
    e.points.forEach((p) => see(p.x, p.y));
    if (e.label) see(e.label.x, e.label.y, found.width, 12);
  }
  if (left > right) [left, top, right, bottom] = [0, 0, 40, 20];
  const head = outer ? 0 : widthOf(`− ${group.label}`, 12, true) + 24;
  const width = Math.max(right - left + 2 * PAD, head);
  const dx = (width - (right - left)) / 2 - left;
  const dy = PAD - top + (outer ? 0 : HEAD);
  const height = bottom + dy + PAD;
  const boxes = [...shown].map((key) => {
    const { x, y, width: w, height: h } = graph.node(key);
    return { key, x: x + dx - w / 2, y: y + dy - h / 2, width: w, height: h };
  });
  const at = new Map(boxes.map((b) => [b.key, b]));
  const ports = new Map();
  for (const key of graph.nodes()) if (!shown.has(key)) ports.set(key, graph.node(key).x + dx);
  for (const e of edges) {
    const middle = e.points.map((p) => ({ x: p.x + dx, y: p.y + dy }));
    if (e.label) e.label = { x: e.label.x + dx, y: e.label.y + dy };
    e.points = [endOf(e, at, ports, middle[0], true, height), ...middle, endOf(e, at, ports, middle[middle.length - 1], false, height)];
  }
  return { width, height, boxes, edges, ports };
}

// The end point of an edge: at a port of an open group, else at the box's border, close to the next point.
function endOf(edge, at, ports, near, leaving, height) {
  const key = leaving ? edge.from : edge.to;
  const box = at.get(key);
  if (!box) return { x: ports.get(key), y: leaving ? 0 : height };
  const y = leaving ? box.y + box.height : box.y;
  const group = key[0] === "g" && groups[+key.slice(1)].open ? groups[+key.slice(1)] : null;
  if (group) {
    const { into, out } = flows(group);
    const x = group.layout.ports.get(leaving ? portKey(out, edge.ids[0], "u") : portKey(into, edge.ids[0], "i"));
    if (x !== undefined) return { x: box.x + x, y };
  }
  const middle = box.x + box.width / 2;
  const reach = box.width * 0.32;
  return { x: near ? Math.min(Math.max(near.x, middle - reach), middle + reach) : middle, y };
}

function changed(group) {
  for (; group; group = group.parent) group.layout = null;
}
