// The side panel, which shows everything known about the selected box.

const panel = document.getElementById("panel");
const h = (tag, attributes = {}, ...inside) => {
  const element = document.createElement(tag);
  for (const name in attributes) {
    if (name === "onclick") element.addEventListener("click", attributes[name]);
    else element.setAttribute(name, attributes[name]);
  }
  element.append(...inside.filter((x) => x !== "" && x != null));
  return element;
};
const many = (n, one, more = `${one}s`) => `${n.toLocaleString("en")} ${n === 1 ? one : more}`;
const titleOf = (id) => (id >= 0 ? ops[id].title : sources[-1 - id].name);
const link = (id, words = titleOf(id)) => h("button", { class: "link", onclick: () => choose(keyOf(id), true) }, words);
const keyOf = (id) => (id >= 0 ? `o${id}` : `s${-1 - id}`);
const rows = (pairs) =>
  h("table", {}, ...pairs.filter(([, value]) => value != null && value !== "").map(([name, value]) => h("tr", {}, h("th", { scope: "row" }, name), h("td", {}, value))));
const section = (name, ...inside) => (inside.some((x) => x !== "" && x != null) ? [h("h3", {}, name), ...inside] : []);

function tools(buttons) {
  return h("div", { class: "tools" }, ...buttons.map(([words, does, pressed]) => h("button", { onclick: does, ...(pressed === undefined ? {} : { "aria-pressed": pressed }) }, words)));
}

function statistics(name, all) {
  const found = (all || []).map((s, i) => [s, i]).filter(([s]) => s);
  return found.flatMap(([s, i]) =>
    section(
      found.length > 1 ? `${name}, result ${i + 1}` : name,
      s.nans || s.infs ? h("p", { class: "bad" }, [s.nans && many(s.nans, "NaN", "NaN"), s.infs && `${many(s.infs, "infinity", "infinities")}`].filter(Boolean).join(", ")) : "",
      rows([
        ["range", `${plain(s.min)} … ${plain(s.max)}`],
        ["mean ± std", `${plain(s.mean)} ± ${plain(s.std)}`],
        ["norm", plain(s.norm)],
        ["zeros", s.zeros ? percent(s.zeros) : ""],
      ]),
      histogram(s),
    ),
  );
}

function highlightTools() {
  return tools([
    ["Ancestors", () => mark("before"), marking.before],
    ["Descendants", () => mark("after"), marking.after],
    ["Gradient path", () => mark("path"), marking.path],
  ]);
}

function way(id) {
  const steps = gradientWay(id);
  if (!steps) return section("Gradient", "no gradient reaches it");
  const said = (at) => {
    const norm = at >= 0 ? gradientNorm(at) : stat(at, "gradients", "norm") ?? liveNorm(at);
    return h("li", {}, link(at), at >= 0 && ops[at].path ? ` ${ops[at].path}` : "", norm === undefined ? "" : ` · ‖grad‖ ${plain(norm)}`);
  };
  const items = steps.length > 26 ? [...steps.slice(0, 12).map(said), h("li", {}, `… ${steps.length - 24} more …`), ...steps.slice(-12).map(said)] : steps.map(said);
  return section("How gradient reaches it", h("ol", {}, ...items));
}

const liveNorm = (id) => (id < 0 ? steps[step]?.norms?.[-1 - id] ?? undefined : undefined);

function opPanel(i) {
  const op = ops[i];
  const formula = data.formulas[op.name];
  const derivatives = Object.entries(formula?.derivatives || {});
  const inputs = op.inputs.map((x) =>
    h("tr", {}, h("th", { scope: "row" }, x.name), h("td", {}, x.from != null ? link(x.from) : x.value != null ? `${x.value}` : x.is ? "" : "–", x.index ? ` (result ${x.index + 1})` : ""), h("td", { class: "n" }, x.is || "")),
  );
  const kept = (op.kept || []).map((k) =>
    h("tr", {}, h("th", { scope: "row" }, k.name), h("td", {}, `${k.is} ${k.role}${k.leaf ? ", a parameter's own" : ""}`), h("td", { class: "n" }, bytes(k.bytes))),
  );
  return [
    h("h2", {}, op.title),
    h("p", { class: "where" }, [op.path && `in ${op.path}`, op.call ? `call ${op.call + 1}` : "", `operation ${i + 1} of ${ops.length.toLocaleString("en")}`].filter(Boolean).join(", ")),
    formula?.says ? h("p", {}, formula.says) : "",
    highlightTools(),
    rows([
      ["result", op.shapes.map((s, k) => `${s} ${op.dtypes[k]}${op.layouts?.[k] && op.layouts[k] !== "contiguous" ? `, ${op.layouts[k]}` : ""}`).join("; ")],
      ["variable", op.variable],
      ["is a result", (op.results || []).join(", ")],
      ...Object.entries(op.settings || {}).map(([name, value]) => [name, `${value}`]),
      ["derivative of", op.derives == null ? "" : link(op.derives, ops[op.derives].title + (ops[op.derives].path ? ` in ${ops[op.derives].path}` : ""))],
      ["flops", op.flops == null ? "" : sizeSaid(op.flops)],
      ["time forward", measured(i, "seconds") === undefined ? "" : seconds(measured(i, "seconds"))],
      ["time backward", measured(i, "backward") === undefined ? "" : seconds(measured(i, "backward"))],
      ["gradient", op.carries ? "" : "none flows through it"],
    ]),
    ...section("Inputs", inputs.length ? h("table", {}, ...inputs) : ""),
    ...section("Used by", users[i].length ? h("div", {}, ...users[i].slice(0, 30).flatMap((u) => [link(u, ops[u].title + (ops[u].path ? ` in ${ops[u].path}` : "")), h("br")])) : ""),
    ...section("Source line", op.line ? h("div", {}, op.line) : "", data.lines[op.line] ? h("pre", {}, data.lines[op.line]) : ""),
    ...section("Its derivative", ...derivatives.flatMap(([name, body]) => [h("code", {}, name ? `∂ ${name}` : "of all inputs"), h("pre", {}, body)])),
    ...section("Forward", formula ? h("pre", {}, formula.forward) : ""),
    ...section(`Kept for backward${op.bytes ? `, ${bytes(op.bytes)}` : ""}`, op.freed ? "freed" : kept.length ? h("table", {}, ...kept) : ""),
    ...statistics("Values", measured(i, "stats")),
    ...statistics("Gradient of the result", measured(i, "gradients")),
    ...(marking.path ? way(i) : []),
  ];
}

function sourcePanel(k) {
  const source = sources[k];
  const id = -1 - k;
  const norm = liveNorm(id);
  return [
    h("h2", {}, source.name),
    h("p", { class: "where" }, source.kind === "constant" ? "constant: wants no gradient" : source.kind === "leaf" ? "leaf: gets a gradient" : "parameter"),
    highlightTools(),
    rows([
      ["shape", source.shape && `${source.shape} ${source.dtype}`],
      ["elements", source.elements.toLocaleString("en")],
      ["value", source.value],
      ["‖gradient‖", norm === undefined ? "" : plain(norm)],
    ]),
    chart(steps.map((s) => s.norms?.[k]), "Gradient norm"),
    ...(source.kind === "constant" ? [] : way(id)),
    ...section("Used by", h("div", {}, ...sourceUsers[k].slice(0, 30).flatMap((u) => [link(u, ops[u].title + (ops[u].path ? ` in ${ops[u].path}` : "")), h("br")]))),
    ...statistics("Values", measured(id, "stats")),
    ...statistics("Gradient", measured(id, "gradients")),
  ];
}

function groupPanel(g) {
  const group = groups[g];
  const within = ops.slice(group.low, group.high);
  const counts = new Map();
  for (const op of within) counts.set(op.title, (counts.get(op.title) || 0) + 1);
  const sum = (of) => {
    let total;
    for (let i = group.low; i < group.high; i++) {
      const x = of(i);
      if (typeof x === "number") total = (total || 0) + x;
    }
    return total;
  };
  const numbers = sourcesWithin(group).reduce((n, k) => n + (sources[k].kind === "parameter" ? sources[k].elements : 0), 0);
  const said = (of, how) => (sum(of) === undefined ? "" : how(sum(of)));
  return [
    h("h2", {}, group.label || data.title),
    h("p", { class: "where" }, [group.path && group.path !== group.label ? group.path : "", group.call ? `call ${group.call + 1}` : "", group.part ? "a part of a long list" : ""].filter(Boolean).join(", ")),
    tools([[group.open ? "Close" : "Open", () => toggle(g)], ["Open all in it", () => openAll(g)]]),
    highlightTools(),
    rows([
      ["operations", within.length.toLocaleString("en")],
      ["parameters", numbers ? numbers.toLocaleString("en") : ""],
      ["flops", said((i) => ops[i].flops, sizeSaid)],
      ["kept bytes", said((i) => ops[i].bytes, bytes)],
      ["time forward", said((i) => measured(i, "seconds"), seconds)],
      ["time backward", said((i) => measured(i, "backward"), seconds)],
    ]),
    ...section("Operations", h("table", {}, ...[...counts].sort((a, b) => b[1] - a[1]).slice(0, 20).map(([name, n]) => h("tr", {}, h("td", {}, name), h("td", { class: "n" }, `${n} ×`))))),
    ...section("What is in it", h("div", {}, ...group.items.flatMap((item) => [item >= 0 ? link(item, ops[item].label || ops[item].title) : h("button", { class: "link", onclick: () => choose(`g${-1 - item}`, true) }, groups[-1 - item].label), h("br")]))),
  ];
}

function overview() {
  const best = (name, of, how) => {
    const found = ops.map((_, i) => [i, of(i)]).filter(([, x]) => typeof x === "number" && x > 0).sort((a, b) => b[1] - a[1]).slice(0, 6);
    return section(name, found.length ? h("table", {}, ...found.map(([i, x]) => h("tr", {}, h("td", {}, link(i), ` ${ops[i].derives !== undefined ? "∂ " : ""}${ops[i].path || ""}`), h("td", { class: "n" }, how(x))))) : "");
  };
  const worst = firstBad();
  const now = steps[step];
  const norms = now?.norms ? sources.map((s, k) => [k, now.norms[k]]).filter(([, x]) => typeof x === "number").sort((a, b) => b[1] - a[1]) : [];
  const most = norms.length ? norms[0][1] : 0;
  return [
    h("h2", {}, data.title),
    h("p", { class: "where" }, data.summary),
    ops.length ? "" : h("p", {}, "Waiting for the first step…"),
    worst !== null ? h("p", { class: "bad" }, "First NaN or infinity: ", link(worst), ops[worst]?.path ? ` in ${ops[worst].path}` : "") : "",
    ...section("Loss", now && typeof now.loss !== "undefined" ? h("div", {}, `${now.label}: ${now.loss == null ? "–" : plain(now.loss)}`) : "", chart(steps.map((s) => s.loss), "Loss")),
    ...section("Gradient norms", norms.length ? h("table", {}, ...norms.slice(0, 40).map(([k, x]) => {
      const meter = h("i");
      meter.style.width = `${most ? (100 * x) / most : 0}%`;
      return h("tr", {}, h("td", {}, link(-1 - k), h("div", { class: "meter" }, meter)), h("td", { class: "n" }, plain(x)));
    })) : ""),
    ...best("Longest, forward", MEASURES.seconds.of, seconds),
    ...best("Longest, backward", MEASURES.backward.of, seconds),
    ...best("Most kept for backward", MEASURES.bytes.of, bytes),
    ...best("Most flops", MEASURES.flops.of, (n) => sizeSaid(n)),
    h("p", { class: "where" }, "Click a module to open it, an operation to read it. Press ? for keys."),
  ];
}

function fillPanel() {
  const place = chosen ? +chosen.slice(1) : 0;
  const parts = !chosen ? overview() : chosen[0] === "o" ? opPanel(place) : chosen[0] === "s" ? sourcePanel(place) : groupPanel(place);
  const focused = panel.contains(document.activeElement) ? [...panel.querySelectorAll("button")].indexOf(document.activeElement) : -1;
  panel.replaceChildren(...parts.filter((x) => x !== "" && x != null));
  if (focused >= 0) panel.querySelectorAll("button")[focused]?.focus();
}
