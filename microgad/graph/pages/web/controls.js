// Menus, sliders, keys, mouse, and the live view.

const $ = (id) => document.getElementById(id);
let reversed = false;
let playing = null;

function drawLegend(scale) {
  const legend = $("legend");
  legend.replaceChildren();
  if (measure === "kind") {
    const kinds = [
      ["parameter", "--param", "--param-line"], ["leaf", "--card", "--leaf-line"], ["constant", "--card", "--faint", "dashed"],
      ["operation", "--card", "--edge"], ["closed module", "--group-2", "--edge"], ["result", "--card", "--result"],
      ["∂ backward, by create_graph", "--derivative", "--derivative-line"],
    ];
    const there = new Set(["operation", "closed module", ...sources.map((source) => source.kind)]);
    if (ops.some(isResult)) there.add("result");
    if (ops.some((op) => op.derives !== undefined)) there.add("∂ backward, by create_graph");
    for (const [kind, fill, line, dash] of kinds.filter(([kind]) => there.has(kind))) {
      const swatch = h("span", { class: "swatch" });
      swatch.style.background = `var(${fill})`;
      swatch.style.border = `1px ${dash ?? "solid"} var(${line})`;
      legend.append(swatch, kind === "constant" ? "constant: no gradient" : kind);
    }
  } else if (scale) {
    const { said, shown: words, share } = MEASURES[measure];
    const bar = h("span", { class: "ramp" });
    bar.style.background = `linear-gradient(90deg, ${[0.06, 0.3, 0.5, 0.75, 1].map((t) => `rgb(${ramp(t)})`).join(", ")})`;
    legend.append(`${said}: `, words(share ? 0 : scale.low), bar, words(scale.high), scale.logs ? " (logarithmic)" : "");
  } else if (measure !== "module") legend.append(`${MEASURES[measure].said}: not recorded`);
}

function direction(backward) {
  reversed = backward;
  $("forward").setAttribute("aria-pressed", !backward);
  $("backward").setAttribute("aria-pressed", backward);
  svg.classList.toggle("backward", backward);
  paint();
}

function theme(name) {
  document.documentElement.dataset.theme = name;
  paint();
}

function find(query) {
  found = search(query);
  foundAt = -1;
  $("found").value = query.trim() ? (found.length ? `${found.length.toLocaleString("en")} found` : "none") : "";
  paint();
}

function findNext(by) {
  if (!found.length) return;
  foundAt = (Math.max(foundAt, by < 0 ? 0 : -1) + by + found.length) % found.length;
  $("found").value = `${foundAt + 1} of ${found.length.toLocaleString("en")}`;
  choose(keyOf(found[foundAt]), true);
}

function toOperation(n) {
  stopPlaying();
  showOperation(n);
}

function showOperation(n) {
  cursor = Math.min(Math.max(n, 0), ops.length);
  $("op").value = cursor;
  $("opsaid").value = cursor === ops.length ? `all ${ops.length.toLocaleString("en")}` : `${cursor} of ${ops.length.toLocaleString("en")}: ${cursor ? ops[cursor - 1].label || ops[cursor - 1].title : ""}`;
  $("opsaid").title = cursor ? ops[cursor - 1].path || "" : "";
  paint();
}

function stopPlaying() {
  clearInterval(playing);
  playing = null;
  $("play").textContent = "▶";
  $("play").setAttribute("aria-label", "Play");
}

function play() {
  if (playing) return stopPlaying();
  if (cursor >= ops.length) showOperation(0);
  $("play").textContent = "❚❚";
  $("play").setAttribute("aria-label", "Pause");
  const stride = Math.max(1, Math.round(ops.length / 200));
  playing = setInterval(() => {
    showOperation(cursor + stride);
    if (cursor >= ops.length) stopPlaying();
  }, 60);
}

function showSteps() {
  $("stepbar").hidden = steps.length < 2;
  $("step").max = Math.max(steps.length - 1, 0);
  $("step").value = step;
  const now = steps[step];
  $("stepsaid").value = now ? `${now.label}${typeof now.loss === "number" ? `, loss ${plain(now.loss)}` : ""}` : "";
}

function toStep(n) {
  step = Math.min(Math.max(n, 0), steps.length - 1);
  findBad();
  showSteps();
  showMeasures();
  paint();
  fillPanel();
}

// The menu has only measures that were recorded.
function showMeasures() {
  const has = Object.entries(MEASURES).filter(([, { of }]) => ops.some((_, i) => typeof of(i) === "number" && of(i) > 0));
  const wanted = [["kind", "kind"], ["module", "module"], ...has.map(([name, { said }]) => [name, said.toLowerCase()])];
  const menu = $("color");
  if (menu.options.length === wanted.length) return;
  menu.replaceChildren(...wanted.map(([value, said]) => h("option", { value }, said)));
  menu.value = measure;
}

function level(more) {
  const closed = [...shown.values()].filter((b) => b.key[0] === "g" && !b.open).map((b) => groups[+b.key.slice(1)]);
  const open = groups.filter((g) => g.open && g.parent && g.items.every((item) => item >= 0 || !groups[-1 - item].open));
  let count = shown.size;
  const turned = more ? closed.filter((g) => (count += g.items.length) <= MOST_SHOWN) : open;
  for (const group of turned) {
    group.open = more;
    changed(group);
  }
  notice(more && turned.length < closed.length ? `Opened as far as ${MOST_SHOWN.toLocaleString("en")} boxes` : "");
  if (!more && chosen && !shownKey(chosen)) chosen = null;
  redraw();
  fillPanel();
  fit();
}

const shownKey = (key) => {
  for (let g = key[0] === "g" ? groups[+key.slice(1)].parent : homeOf(idsOf(key)[0]); g; g = g.parent) if (!g.open) return false;
  return true;
};

// Move the selection to the nearest box in a direction.
function move(dx, dy) {
  const from = shown.get(boxWith(chosen || "")) || shown.get(chosen) || [...shown.values()][0];
  if (!from) return;
  if (!chosen) return choose(from.key, true);
  const [x, y] = [from.x + from.width / 2, from.y + from.height / 2];
  let best = null;
  let least = Infinity;
  for (const box of shown.values()) {
    if (box.key === from.key) continue;
    const [u, v] = [box.x + box.width / 2 - x, box.y + box.height / 2 - y];
    const along = u * dx + v * dy;
    const aside = Math.abs(u * dy) + Math.abs(v * dx);
    if (along <= 2) continue;
    const far = along + 2.5 * aside;
    if (far < least) [least, best] = [far, box];
  }
  if (best) choose(best.key, true);
}

const KEYS = [
  ["arrows", "to the next box in that direction", null],
  ["Enter", "open or close a module", () => (chosen && chosen[0] === "g" ? toggle(+chosen.slice(1)) : chosen && reveal(boxWith(chosen), true))],
  ["/", "search; Enter goes to the next one found, Shift+Enter back", () => $("search").select()],
  ["Esc", "let go of what is chosen", () => { chosen = null; find(($("search").value = "")); fillPanel(); svg.focus(); }],
  ["+ −", "zoom", null],
  ["0", "fit into the window", () => fit()],
  ["a d g", "mark ancestors, descendants, the path of the gradient", null],
  ["b", "forward or backward", () => direction(!reversed)],
  [", .", "one operation back or on", null],
  ["[ ]", "one step back or on", null],
  ["p", "play", play],
  ["t", "dark or light", () => theme(dark() ? "light" : "dark")],
  ["?", "these keys", () => $("keys").showModal()],
];
const PRESSES = {
  ArrowUp: () => move(0, -1), ArrowDown: () => move(0, 1), ArrowLeft: () => move(-1, 0), ArrowRight: () => move(1, 0),
  "+": () => zoom(1.25), "=": () => zoom(1.25), "-": () => zoom(0.8), " ": () => KEYS[1][2](), Escape: () => KEYS[3][2](),
  a: () => mark("before"), d: () => mark("after"), g: () => mark("path"), ",": () => toOperation(cursor - 1), ".": () => toOperation(cursor + 1),
  "[": () => steps.length && toStep(step - 1), "]": () => steps.length && toStep(step + 1),
};
for (const [key, , does] of KEYS) if (does) PRESSES[key] ||= does;

function start() {
  $("title").textContent = data.title;
  $("op").max = ops.length;
  showOperation(ops.length);
  showSteps();
  showMeasures();
  theme(matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  $("keylist").append(...KEYS.flatMap(([key, says]) => [h("dt", {}, key), h("dd", {}, says)]));

  $("search").addEventListener("input", (event) => find(event.target.value));
  $("search").addEventListener("keydown", (event) => {
    if (event.key === "Enter") findNext(event.shiftKey ? -1 : 1);
    if (event.key === "Escape") PRESSES.Escape();
  });
  $("color").addEventListener("change", (event) => {
    measure = event.target.value;
    paint();
  });
  $("op").addEventListener("input", (event) => toOperation(+event.target.value));
  $("step").addEventListener("input", (event) => toStep(+event.target.value));
  const clicks = {
    forward: () => direction(false), backward: () => direction(true), in: () => zoom(1.25), out: () => zoom(0.8), fit: () => fit(), play,
    less: () => level(false), more: () => level(true), theme: PRESSES.t, help: PRESSES["?"],
  };
  for (const id in clicks) $(id).addEventListener("click", () => clicks[id]());

  svg.addEventListener("click", (event) => {
    if (dragged) return;
    const key = event.target.closest("[data-key]")?.dataset.key;
    if (!key) return choose(null);
    chosen = key;
    if (key[0] === "g") toggle(+key.slice(1));
    else choose(key);
  });
  document.addEventListener("keydown", (event) => {
    const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName) || $("keys").open;
    const pressed = (event.key === "Enter" || event.key === " ") && event.target.tagName === "BUTTON";
    if (typing || pressed || event.ctrlKey || event.metaKey || event.altKey || !PRESSES[event.key]) return;
    event.preventDefault();
    PRESSES[event.key]();
  });
  window.addEventListener("resize", place);

  // Print the whole graph in the light theme, whatever part of it is on the screen.
  let screen = null;
  window.addEventListener("beforeprint", () => {
    screen = { theme: document.documentElement.dataset.theme };
    theme("light");
    svg.setAttribute("viewBox", `-10 -10 ${whole.width + 20} ${whole.height + 20}`);
    world.removeAttribute("transform");
  });
  window.addEventListener("afterprint", () => {
    svg.removeAttribute("viewBox");
    theme(screen.theme);
    place();
  });
  if (data.live) listen();
}

const MOST_STEPS = 2000; // as many as the server keeps

// Poll for new steps. The page stays at the last step unless the reader has selected another.
async function listen() {
  let wait = 1000;
  try {
    const answer = await fetch(`steps?after=${steps.length ? steps[steps.length - 1].number : -1}`);
    const news = await answer.json();
    if (news.recorded && !ops.length) return location.reload();
    const last = step >= steps.length - 1;
    if (news.steps.length) {
      steps.push(...news.steps);
      step -= steps.splice(0, steps.length - MOST_STEPS).length;
      if (last) step = steps.length - 1;
      toStep(step);
    }
    notice(news.open ? "live" : "training has ended");
    if (!news.open) return;
  } catch {
    notice("training has ended");
    return;
  }
  setTimeout(listen, wait);
}
