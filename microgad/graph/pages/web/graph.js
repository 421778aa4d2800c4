// The recorded graph. An id is the position of an operation, or -1 - the position of a source. An item of a group is
// the position of an operation, or -1 - the position of a group.

const data = JSON.parse(document.getElementById("data").textContent);
const { ops, sources, groups, steps } = data;
const users = ops.map(() => []);
const sourceUsers = sources.map(() => []);
const groupOf = new Int32Array(ops.length);

groups.forEach((group, g) => {
  group.g = g;
  group.open = false;
  group.sources = [];
  for (const item of group.items) {
    if (item >= 0) groupOf[item] = g;
    else groups[-1 - item].parent = group;
  }
});
ops.forEach((op, i) => {
  op.inputs ||= [];
  op.pills = [];
  for (const x of op.inputs) {
    if (x.from == null) continue;
    const to = x.from >= 0 ? users[x.from] : sourceUsers[-1 - x.from];
    if (to[to.length - 1] !== i) to.push(i);
  }
});
sources.forEach((source, k) => {
  if (source.home === null) for (const i of sourceUsers[k]) ops[i].pills.push(k);
  else groups[source.home].sources.push(k);
});

// From the operations whose results became leaves, as by requires_grad_(), to what is drawn of these: a box or readers.
const made = sources.flatMap(({ made_by: from, home }, k) =>
  from == null ? [] : (home === null ? sourceUsers[k] : [-1 - k]).map((to) => ({ from, to })),
);

const usersOf = (id) => (id >= 0 ? users[id] : sourceUsers[-1 - id]);
const homeOf = (id) => {
  if (id >= 0) return groups[groupOf[id]];
  const home = sources[-1 - id].home;
  return groups[home ?? groupOf[sourceUsers[-1 - id][0]]];
};

function inside(group, outer) {
  while (group && group !== outer) group = group.parent;
  return group === outer;
}

// The key of the box, directly in a group, that contains an id: "o3" (operation), "s2" (source), "g5" (group).
function boxIn(group, id) {
  let at = homeOf(id);
  if (at === group) return id >= 0 ? `o${id}` : `s${-1 - id}`;
  while (at.parent !== group) at = at.parent;
  return `g${at.g}`;
}

// The edges between the members of a group, into it and out of it. They are computed once, when it is opened.
function flows(group) {
  if (group.flows) return group.flows;
  const between = new Map();
  const into = new Map();
  const out = new Set();
  const add = (from, to, id) => {
    const key = `${from} ${to}`;
    if (!between.has(key)) between.set(key, { from, to, ids: new Set() });
    between.get(key).ids.add(id);
  };
  const within = (id) => (id >= 0 ? id >= group.low && id < group.high : inside(homeOf(id), group));
  const connect = (id, to) => {
    if (within(id)) {
      const from = boxIn(group, id);
      if (from !== to) add(from, to, id);
    } else {
      if (!into.has(id)) into.set(id, new Set());
      into.get(id).add(to);
    }
  };
  for (let i = group.low; i < group.high; i++) {
    const to = boxIn(group, i);
    for (const { from: id } of ops[i].inputs) {
      if (id != null && (id >= 0 || sources[-1 - id].home !== null)) connect(id, to);
    }
    if (users[i].some((user) => user < group.low || user >= group.high)) out.add(i);
  }
  for (const { from, to } of made) {
    if (within(to)) connect(from, boxIn(group, to));
    else if (within(from)) out.add(from);
  }
  for (const k of sourcesWithin(group)) {
    if (sources[k].home === null) continue;
    if (sourceUsers[k].some((user) => user < group.low || user >= group.high)) out.add(-1 - k);
  }
  group.flows = { between: [...between.values()], into, out };
  return group.flows;
}

function sourcesWithin(group) {
  if (group.within) return group.within;
  const found = new Set(group.sources);
  for (const item of group.items) for (const k of item < 0 ? sourcesWithin(groups[-1 - item]) : ops[item].pills) found.add(k);
  return (group.within = [...found]);
}

// All ancestors of some ids, or all descendants with `down`.
function reach(ids, down, through = () => true) {
  const seen = new Set();
  const stack = [...ids];
  while (stack.length) {
    const id = stack.pop();
    const next = down ? usersOf(id) : id >= 0 ? ops[id].inputs.map((x) => x.from) : [];
    for (const n of next) {
      if (n != null && !seen.has(n) && through(n)) {
        seen.add(n);
        stack.push(n);
      }
    }
  }
  return seen;
}

// The shortest path of the gradient from where backward started to an id; null if there is none.
function gradientWay(id) {
  const came = new Map([[id, null]]);
  let line = [id];
  while (line.length) {
    const next = [];
    for (const at of line) {
      if (at >= 0 && ops[at].carries && !users[at].some((u) => ops[u].carries)) {
        const way = [];
        for (let x = at; x !== null; x = came.get(x)) way.push(x);
        return way;
      }
      for (const user of usersOf(at)) {
        if (ops[user].carries && !came.has(user)) {
          came.set(user, at);
          next.push(user);
        }
      }
    }
    line = next;
  }
  return null;
}

// The measurements of the selected step, or of the last recorded step before it.
let step = steps.some((s) => s.norms) ? steps.length - 1 : 0;
const recorded = () => {
  let at = step;
  while (at > 0 && !steps[at].ops) at--;
  return steps[at];
};
const measured = (id, what) => {
  const now = recorded();
  const base = id >= 0 ? ops[id] : sources[-1 - id];
  const later = now && (id >= 0 ? now.ops?.[id] : now.sources?.[-1 - id]);
  return later?.[what] ?? base[what];
};
const stat = (id, what, name) => {
  const found = (measured(id, what) || []).filter(Boolean);
  return found.length ? found[0][name] : undefined;
};
const badOf = (id) => {
  const all = [...(measured(id, "stats") || []), ...(measured(id, "gradients") || [])].filter(Boolean);
  return { nans: all.reduce((n, s) => n + s.nans, 0), infs: all.reduce((n, s) => n + s.infs, 0) };
};
const firstBad = () => (recorded() || data).bad ?? null; // what first_bad found at the selected step

// The ids with all words of the query in their name, module, settings or dtype; "nan" and "inf" find such values.
function search(query) {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  if (!words.length) return [];
  const found = [];
  const test = (id, said) => {
    const bad = badOf(id);
    said = `${said}${bad.nans ? " nan" : ""}${bad.infs ? " inf" : ""}`.toLowerCase();
    if (words.every((word) => said.includes(word))) found.push(id);
  };
  ops.forEach((op, i) => test(i, (op.said ||= [op.title, op.name, op.variable, op.path, ...(op.says || []), ...op.dtypes, op.line].join(" "))));
  sources.forEach((source, k) => test(-1 - k, `${source.name} ${source.kind} ${source.dtype || ""}`));
  return found;
}
