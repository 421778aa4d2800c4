// The charts of the side panel: a histogram and a line chart.

function histogram(stats) {
  const { counts, min, max } = stats;
  if (!counts || counts.length < 2) return "";
  const [width, height] = [300, 56];
  const most = Math.max(...counts);
  const bar = width / counts.length;
  const drawn = make("svg", { viewBox: `0 0 ${width} ${height + 14}`, width: "100%", role: "img", "aria-label": `Histogram from ${plain(min)} to ${plain(max)}` });
  counts.forEach((count, i) => {
    const h = most ? (height * count) / most : 0;
    drawn.append(make("rect", { class: "bin", x: i * bar + 0.5, y: height - h, width: bar - 1, height: h }));
  });
  drawn.append(make("line", { class: "axis", x1: 0, x2: width, y1: height + 0.5, y2: height + 0.5 }));
  const ends = [[plain(min), 0, "start"], [plain(max), width, "end"]];
  for (const [text, x, anchor] of ends) drawn.append(make("text", { x, y: height + 12, "text-anchor": anchor }, text));
  return drawn;
}

// A line chart of values over steps. Steps without a value are left out.
function chart(values, said) {
  const known = values.map((y, x) => ({ x, y })).filter((p) => typeof p.y === "number");
  if (known.length < 2) return "";
  const [width, height] = [300, 90];
  const ys = known.map((p) => p.y);
  const [low, high] = [Math.min(...ys), Math.max(...ys)];
  const last = Math.max(values.length - 1, 1);
  const at = ({ x, y }) => `${((width * x) / last).toFixed(1)},${(4 + (height - 8) * (high > low ? (high - y) / (high - low) : 0.5)).toFixed(1)}`;
  const drawn = make("svg", { viewBox: `0 0 ${width} ${height + 14}`, width: "100%", role: "img", "aria-label": `${said}: from ${plain(low)} to ${plain(high)}, last ${plain(ys[ys.length - 1])}` });
  drawn.append(
    make("line", { class: "axis", x1: 0, x2: width, y1: height, y2: height }),
    make("polyline", { class: "curve", points: known.map(at).join(" ") }),
    make("text", { x: 2, y: 10 }, plain(high)),
    make("text", { x: 2, y: height - 3 }, plain(low)),
    make("text", { x: width, y: height + 12, "text-anchor": "end" }, steps[steps.length - 1]?.label || ""),
    make("text", { x: 0, y: height + 12 }, steps[0]?.label || ""),
  );
  if (step < values.length) drawn.append(make("line", { class: "axis", x1: (width * step) / last, x2: (width * step) / last, y1: 0, y2: height }));
  return drawn;
}
