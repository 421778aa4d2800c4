// The measures by which boxes can be colored. Each has a value for an operation; a group has their sum or maximum.

const seconds = (t) => (t >= 1 ? `${+t.toPrecision(3)} s` : t >= 1e-3 ? `${+(t * 1e3).toPrecision(3)} ms` : `${+(t * 1e6).toPrecision(3)} µs`);
const bytes = (n) => {
  const units = ["B", "KiB", "MiB", "GiB"];
  let u = 0;
  for (; n >= 1024 && u < 3; u++) n /= 1024;
  return `${+n.toPrecision(4)} ${units[u]}`;
};
const plain = (x) => (typeof x === "number" ? `${+x.toPrecision(4)}` : `${x}`);
const percent = (x) => `${+(100 * x).toPrecision(3)} %`;

const MEASURES = {
  seconds: { said: "Time, forward", of: (i) => measured(i, "seconds"), sums: true, shown: seconds },
  backward: { said: "Time, backward", of: (i) => measured(i, "backward"), sums: true, shown: seconds },
  bytes: { said: "Kept bytes", of: (i) => ops[i].bytes, sums: true, shown: bytes },
  flops: { said: "Flops", of: (i) => ops[i].flops, sums: true, shown: (n) => sizeSaid(n) },
  gradient: { said: "Gradient norm", of: (i) => gradientNorm(i), shown: plain },
  norm: { said: "Norm of values", of: (i) => stat(i, "stats", "norm"), shown: plain },
  zeros: { said: "Zeros", of: (i) => stat(i, "stats", "zeros"), shown: percent, share: true },
  gradzeros: { said: "Zeros in gradients", of: (i) => stat(i, "gradients", "zeros"), shown: percent, share: true },
};
let measure = "kind";

// The gradient norm of an operation's result; in a live view, that of its parameters.
function gradientNorm(i) {
  const own = stat(i, "gradients", "norm");
  if (own !== undefined) return own;
  const norms = steps[step]?.norms;
  const known = norms ? ops[i].pills.map((k) => norms[k]).filter((x) => typeof x === "number") : [];
  return known.length ? Math.hypot(...known) : undefined;
}

const valueOf = (key) => {
  const { of, sums } = MEASURES[measure];
  const place = +key.slice(1);
  if (key[0] === "s") return undefined;
  if (key[0] === "o") return of(place);
  let total;
  for (let i = groups[place].low; i < groups[place].high; i++) {
    const x = of(i);
    if (typeof x === "number") total = total === undefined ? x : sums ? total + x : Math.max(total, x);
  }
  return total;
};

const LIGHT = [[247, 251, 255], [198, 219, 239], [107, 174, 214], [33, 113, 181], [8, 48, 107]];
const DARK = [[35, 40, 46], [52, 58, 96], [124, 63, 122], [217, 95, 83], [252, 205, 108]];
const CATEGORIES = ["#cfe8f8", "#ffe0b0", "#cdebdf", "#f6d5e6", "#f4efb4", "#dcd8f2", "#f7d3c4", "#d9e3e8"];
const DARK_CATEGORIES = ["#1d4461", "#5f4315", "#1b4f40", "#5a2c47", "#55501a", "#3d3768", "#663524", "#3c4a52"];
const dark = () => document.documentElement.dataset.theme === "dark";

function ramp(t) {
  const stops = dark() ? DARK : LIGHT;
  const at = Math.min(Math.max(t, 0), 1) * (stops.length - 1);
  const low = Math.min(Math.floor(at), stops.length - 2);
  return stops[low].map((c, i) => Math.round(c + (stops[low + 1][i] - c) * (at - low)));
}

// The range of values among the boxes on the screen, and the position of a value in it.
function scaleOf(keys) {
  const share = MEASURES[measure].share;
  const values = keys.map(valueOf).filter((x) => typeof x === "number" && x > 0);
  if (!values.length) return null;
  const [low, high] = share ? [0, 1] : [Math.min(...values), Math.max(...values)];
  const logs = !share && high / low > 30;
  const at = (x) => (share ? x : high === low ? 0.5 : logs ? Math.log(x / low) / Math.log(high / low) : (x - low) / (high - low));
  return { low, high, logs, at: (x) => (x > 0 ? 0.06 + 0.94 * at(x) : 0) };
}

const topModules = [...new Set(ops.map((op) => (op.path || "").split(".")[0]))];
function moduleColor(key) {
  const place = +key.slice(1);
  if (key[0] === "s") return null;
  const path = key[0] === "o" ? ops[place].path : groups[place].path;
  const colors = dark() ? DARK_CATEGORIES : CATEGORIES;
  return path ? colors[topModules.indexOf(path.split(".")[0]) % colors.length] : null;
}
