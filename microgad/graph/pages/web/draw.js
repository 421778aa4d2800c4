// Draw boxes and edges as SVG. Text is only set as text content, never as markup.

const svg = document.getElementById("graph");
const make = (tag, attributes = {}, ...inside) => {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const name in attributes) element.setAttribute(name, attributes[name]);
  element.append(...inside);
  return element;
};
const world = make("g");
svg.append(
  make(
    "defs",
    {},
    make("marker", { id: "head", viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 8, markerHeight: 8, markerUnits: "userSpaceOnUse", orient: "auto-start-reverse" }, make("path", { d: "M0,0.6 L8,4 L0,7.4 z", class: "head" })),
  ),
  world,
);

// What is drawn: boxes by key, with their position in the whole drawing, and edges.
let shown = new Map();
let drawnEdges = [];
let whole = { width: 1, height: 1 };

function draw() {
  shown = new Map();
  drawnEdges = [];
  whole = layout(groups[0]);
  world.replaceChildren(drawInside(groups[0], 0, 0));
}

// Frames of open groups are drawn first, then edges, then boxes, so that an edge can reach a box inside an open group.
function drawInside(group, x, y, depth = 0) {
  const { boxes, edges } = group.layout;
  const frames = make("g");
  const arrows = make("g");
  const marks = make("g");
  for (const box of boxes) {
    const at = { ...box, x: x + box.x, y: y + box.y };
    const open = box.key[0] === "g" && groups[+box.key.slice(1)].open;
    (open ? frames : marks).append(open ? drawOpen(at) : drawBox(at));
  }
  const said = make("g");
  for (const edge of edges) {
    const line = make("path", { class: "edge", d: curve(edge.points, x, y), fill: "none" });
    edge.element = line;
    edge.group = group;
    edge.words = null;
    arrows.append(line);
    if (edge.label) {
      edge.words = make("text", { class: "edge-said", x: x + edge.label.x, y: y + edge.label.y + 3, "text-anchor": "middle" });
      edge.words.textContent = edge.text;
      said.append(edge.words);
    }
    drawnEdges.push(edge);
  }
  return make("g", { class: depth ? (depth % 2 ? "odd" : "even") : "" }, frames, arrows, marks, said);
}

// A curve through the points that is vertical at each of them.
function curve(points, x, y) {
  let path = `M${(x + points[0].x).toFixed(1)},${(y + points[0].y).toFixed(1)}`;
  for (let i = 1; i < points.length; i++) {
    const [a, b] = [points[i - 1], points[i]];
    const middle = y + (a.y + b.y) / 2;
    path += `C${(x + a.x).toFixed(1)},${middle.toFixed(1)} ${(x + b.x).toFixed(1)},${middle.toFixed(1)} ${(x + b.x).toFixed(1)},${(y + b.y).toFixed(1)}`;
  }
  return path;
}

function drawOpen(box) {
  const group = groups[+box.key.slice(1)];
  let depth = 0;
  for (let g = group; g.parent; g = g.parent) depth++;
  const label = make("text", { x: box.x + 9, y: box.y + 16, class: "title over" });
  label.textContent = `− ${group.label}`;
  const width = Math.min(box.width - 6, widthOf(label.textContent, 12, true) + 14);
  const head = make(
    "g",
    { class: "group-head", "data-key": box.key, tabindex: -1, role: "button", "aria-expanded": "true", "aria-label": `${group.path || group.label}, open module, ${group.high - group.low} operations` },
    make("rect", { x: box.x + 3, y: box.y + 3, width, height: HEAD - 5, rx: 5 }),
    label,
  );
  shown.set(box.key, { ...box, width, height: HEAD, element: head, open: true });
  const frame = make("rect", { class: `frame${depth % 2 ? "" : " even"}${group.derivative ? " derivative" : ""}`, x: box.x, y: box.y, width: box.width, height: box.height, rx: 9 });
  return make("g", {}, frame, drawInside(group, box.x, box.y, depth), head);
}

const isResult = (op, place) => op.results && op.carries && !users[place].length;

function drawBox(box) {
  const { key, x, y, width, height } = box;
  const said = boxOf(key);
  const place = +key.slice(1);
  const kind = key[0];
  const classes = ["box"];
  let name;
  if (kind === "g") {
    classes.push("closed");
    if (groups[place].derivative) classes.push("derivative");
    name = `${groups[place].path || groups[place].label}, closed module, ${groups[place].high - groups[place].low} operations`;
  } else if (kind === "s") {
    classes.push("source", sources[place].kind);
    name = `${sources[place].kind} ${sources[place].name}, ${sources[place].shape ?? ""}`;
  } else {
    const op = ops[place];
    if (op.derives !== undefined) classes.push("derivative");
    if (isResult(op, place)) classes.push("result");
    name = `${op.title}${op.path ? ` in ${op.path}` : ""}, result ${op.shapes.join(", ")}`;
  }
  const element = make("g", { class: classes.join(" "), "data-key": key, tabindex: -1, role: "button", "aria-label": name });
  if (kind === "g") {
    element.setAttribute("aria-expanded", "false");
    element.append(make("rect", { class: "under", x: x + 4, y: y + 4, width, height, rx: 7 }));
  }
  const body = make("rect", { class: "body", x, y, width, height, rx: kind === "s" ? Math.min(height / 2, 14) : 6 });
  element.append(body);
  const lines = [];
  let at = y + 5;
  for (const { text, size, bold } of said.lines) {
    at += size * 1.3;
    const line = make("text", { x: x + width / 2, y: at - size * 0.28, "text-anchor": "middle", class: bold ? "title" : size < 11 ? "sub" : "", "font-size": size });
    line.style.fontSize = `${size}px`;
    line.textContent = text;
    lines.push(line);
    element.append(line);
  }
  const pills = [];
  for (const pill of said.pills || []) {
    const source = sources[pill.k];
    const top = y + said.text + pill.row * (PILL + 4) - 2;
    const label = make("text", { x: x + pill.x + pill.width / 2, y: top + 12, "text-anchor": "middle", class: "sub" });
    label.textContent = pill.text;
    const drawn = make("g", { class: `pill ${source.kind}`, "data-key": `s${pill.k}` }, make("rect", { x: x + pill.x, y: top, width: pill.width, height: PILL, rx: 8 }), label);
    pills.push({ id: -1 - pill.k, element: drawn });
    element.append(drawn);
  }
  shown.set(key, { ...box, element, body, lines, pills });
  return element;
}
