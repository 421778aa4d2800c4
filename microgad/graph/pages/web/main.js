// The state of the page (what is selected, opened and highlighted), and its start.

let chosen = null; // the key of a box
let marking = { before: true, after: true, path: false };
let found = [];
let foundAt = -1;
let cursor = ops.length; // operations from here on have not happened yet
const MOST_SHOWN = 1500;

const idsOf = (key) => {
  const place = +key.slice(1);
  if (key[0] === "o") return [place];
  if (key[0] === "s") return [-1 - place];
  const { low, high } = groups[place];
  return [...Array.from({ length: high - low }, (_, i) => low + i), ...sourcesWithin(groups[place]).map((k) => -1 - k)];
};

// A set of ids with prefix counts of its operations, so that membership of a group is as quick to test as of a box.
function counted(ids) {
  const upto = new Int32Array(ops.length + 1);
  for (const id of ids) if (id >= 0) upto[id + 1] = 1;
  for (let i = 0; i < ops.length; i++) upto[i + 1] += upto[i];
  return { ids, upto, has: (id) => ids.has(id) };
}
function hasAny(key, { ids, upto }) {
  const place = +key.slice(1);
  if (key[0] === "g") return upto[groups[place].high] > upto[groups[place].low];
  return ids.has(key[0] === "o" ? place : -1 - place);
}
const carrying = counted(new Set([...ops.keys()].filter((i) => ops[i].carries)));
let bad = null; // the ids with a NaN or an infinity at the selected step, unless all are put in on purpose, as by a mask
const findBad = () => {
  const all = firstBad() === null ? [] : [...ops.keys(), ...sources.map((_, k) => -1 - k)];
  bad = counted(new Set(all.filter((id) => Object.values(badOf(id)).some(Boolean))));
};

// Apply colors, highlights and search results to what is drawn.
function paint() {
  const picked = counted(new Set(chosen ? idsOf(chosen) : []));
  const none = counted(new Set());
  const before = chosen && marking.before ? counted(reach(picked.ids, false)) : none;
  const after = chosen && marking.after ? counted(reach(picked.ids, true)) : none;
  const path = chosen && marking.path ? counted(reach(picked.ids, true, (id) => id < 0 || ops[id].carries)) : none;
  const matches = counted(new Set(found));
  const related = chosen && (marking.before || marking.after || marking.path);
  const measuring = measure !== "kind" && measure !== "module";
  const scale = measuring ? scaleOf([...shown.keys()].filter((key) => !shown.get(key).open)) : null;
  const is = (element, name, on) => element.classList.toggle(name, !!on);
  const states = (element, key) => {
    is(element, "chosen", key === chosen);
    is(element, "before", hasAny(key, before));
    is(element, "after", hasAny(key, after));
    is(element, "path", marking.path && (hasAny(key, path) || key === chosen));
    is(element, "match", !isOpen(key) && hasAny(key, matches));
    is(element, "faded", related && key !== chosen && ![before, after, path, picked].some((set) => hasAny(key, set)));
  };
  for (const [key, box] of shown) {
    states(box.element, key);
    if (box.open) continue;
    is(box.element, "bad", hasAny(key, bad));
    is(box.element, "still", key[0] === "s" ? sources[+key.slice(1)].kind === "constant" : !hasAny(key, carrying));
    is(box.element, "later", key[0] !== "s" && (key[0] === "o" ? +key.slice(1) : groups[+key.slice(1)].low) >= cursor);
    for (const pill of box.pills) states(pill.element, keyOf(pill.id));
    const value = measuring ? valueOf(key) : undefined;
    const color = measuring && scale && typeof value === "number" ? ramp(scale.at(value)) : null;
    box.body.style.fill = color ? `rgb(${color})` : measure === "module" ? moduleColor(key) || "" : "";
    const light = color && 0.3 * color[0] + 0.59 * color[1] + 0.11 * color[2] > 140;
    for (const line of box.lines) line.style.fill = color ? (light ? "#14181c" : "#ffffff") : "";
  }
  for (const edge of drawnEdges) {
    const some = (set) => edge.ids.some((id) => set.has(id));
    const to = (set) => (edge.to[0] === "u" ? edge.ids.some((id) => usersOf(id).some((u) => set.has(u))) : hasAny(edge.to, set));
    const up = (some(before) || (some(picked) && some(before))) && (to(before) || to(picked));
    const down = (some(after) || some(picked)) && to(after);
    const along = marking.path && chosen && (some(path) || some(picked)) && to(path);
    const carries = edge.ids.some((id) => (id >= 0 ? ops[id].carries : sources[-1 - id].kind !== "constant"));
    for (const element of [edge.element, edge.words]) {
      if (!element) continue;
      is(element, "before", up);
      is(element, "after", down);
      is(element, "path", along);
      is(element, "faded", related && !up && !down && !along);
      is(element, "still", !carries);
      is(element, "later", edge.ids.every((id) => id >= cursor));
    }
    const [start, end] = [edge.from[0] !== "i" && !isOpen(edge.from), edge.to[0] !== "u" && !isOpen(edge.to)];
    edge.element.setAttribute("marker-end", !reversed && end ? "url(#head)" : "");
    edge.element.setAttribute("marker-start", reversed && carries && start ? "url(#head)" : "");
    if (edge.words) edge.words.textContent = reversed ? gradientSaid(edge) : edge.text;
  }
  drawLegend(scale);
}

const isOpen = (key) => key[0] === "g" && groups[+key.slice(1)].open;
const gradientSaid = (edge) => {
  const norm = edge.ids.length === 1 && edge.ids[0] >= 0 ? stat(edge.ids[0], "gradients", "norm") : undefined;
  return norm === undefined ? edge.text : `‖g‖ ${plain(norm)}`;
};

// Draw again, and keep one box at its position on the screen.
function redraw(still) {
  const before = still && shown.get(still);
  draw();
  const after = still && shown.get(still);
  if (before && after) {
    view.x += (before.x - after.x) * view.k;
    view.y += (before.y - after.y) * view.k;
    place();
  }
  paint();
}

function toggle(g, open = !groups[g].open) {
  groups[g].open = open;
  changed(groups[g]);
  if (chosen && !open && chosen !== `g${g}` && chosen[0] !== "g" && inside(homeOf(idsOf(chosen)[0]), groups[g])) chosen = `g${g}`;
  redraw(`g${g}`);
  reveal(`g${g}`);
  fillPanel();
  focusBox(`g${g}`);
}

function openAll(g) {
  const stack = [groups[g]];
  let count = shown.size;
  while (stack.length && count < MOST_SHOWN) {
    const group = stack.shift();
    group.open = true;
    changed(group);
    count += group.items.length;
    for (const item of group.items) if (item < 0) stack.push(groups[-1 - item]);
  }
  notice(stack.length ? `Opened as far as ${MOST_SHOWN.toLocaleString("en")} boxes: more can't be read` : "");
  redraw(`g${g}`);
  fillPanel();
}

// Select a box, open the groups around it, and scroll to it.
function choose(key, bring = false) {
  chosen = key;
  if (key) {
    let group = key[0] === "g" ? groups[+key.slice(1)].parent : homeOf(idsOf(key)[0]);
    let opened = false;
    for (; group; group = group.parent) {
      if (!group.open) {
        group.open = opened = true;
        changed(group);
      }
    }
    if (opened) redraw();
  }
  paint();
  fillPanel();
  if (key && bring) reveal(boxWith(key));
  if (key) focusBox(boxWith(key));
}

// The key of the box that shows an item: for a source without a home, such as a parameter, that of its first reader.
const boxWith = (key) => (key[0] === "s" && sources[+key.slice(1)].home === null ? `o${sourceUsers[+key.slice(1)][0]}` : key);

function mark(what) {
  marking[what] = !marking[what];
  if (what === "path" && marking.path) marking.before = marking.after = false;
  if (what !== "path" && marking[what]) marking.path = false;
  paint();
  fillPanel();
}

function focusBox(key) {
  for (const box of shown.values()) box.element.setAttribute("tabindex", -1);
  const box = shown.get(key);
  if (!box) return;
  box.element.setAttribute("tabindex", 0);
  if (!document.activeElement || document.activeElement === document.body || svg.contains(document.activeElement)) box.element.focus({ preventScroll: true });
}

function notice(words) {
  document.getElementById("notice").textContent = words;
}

// At the start, open groups level by level, the largest first, up to a readable number of boxes.
function openSome(most = 36) {
  const parts = (group) => group.items.filter((item) => item < 0).map((item) => groups[-1 - item]);
  const worth = ({ low, high }) => carrying.upto[high] - carrying.upto[low] !== 1;
  let count = 0;
  let level = [groups[0]];
  groups[0].open = true;
  while (level.length) {
    level.sort((a, b) => b.high - b.low - (a.high - a.low));
    const opened = level.filter((group) => {
      const more = group.items.length + Math.min(group.sources.length, MOST_SOURCES);
      if (group.parent && (count + more > most || !worth(group))) return false;
      count += more;
      return (group.open = true);
    });
    level = opened.flatMap(parts);
  }
}

findBad();
openSome();
draw();
fit(0.85);
start();
paint();
fillPanel();
