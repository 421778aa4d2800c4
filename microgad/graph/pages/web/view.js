// Pan and zoom.

const stage = document.getElementById("stage");
const view = { x: 0, y: 0, k: 1 };
const pointers = new Map();
let dragged = false;

function place() {
  world.setAttribute("transform", `translate(${view.x.toFixed(2)},${view.y.toFixed(2)}) scale(${view.k.toFixed(4)})`);
}

// Fit the whole graph into the window; at the start, only the beginning of a large one, at a readable size.
function fit(least = 0.05) {
  const { width, height } = stage.getBoundingClientRect();
  const room = document.getElementById("bars").offsetHeight + 24;
  view.k = Math.max(Math.min((width - 32) / whole.width, (height - room - 48) / whole.height, 1.25), least);
  view.x = (width - whole.width * view.k) / 2;
  view.y = Math.max((height - room - whole.height * view.k) / 2, 34);
  place();
}

function zoom(factor, x, y) {
  const { width, height } = stage.getBoundingClientRect();
  [x, y] = [x ?? width / 2, y ?? height / 2];
  const k = Math.min(Math.max(view.k * factor, 0.02), 6);
  view.x = x - ((x - view.x) * k) / view.k;
  view.y = y - ((y - view.y) * k) / view.k;
  view.k = k;
  place();
}

// Scroll to a box, no further than necessary.
function reveal(key, middle = false) {
  const box = shown.get(key);
  if (!box) return;
  const { width, height } = stage.getBoundingClientRect();
  if (view.k < 0.5) view.k = 0.8;
  const [left, top] = [view.x + box.x * view.k, view.y + box.y * view.k];
  const [w, h] = [box.width * view.k, box.height * view.k];
  const bottom = height - 110;
  if (middle || left < 20 || left + w > width - 20) view.x += (width - w) / 2 - left;
  if (middle || top < 40 || top + h > bottom) view.y += (bottom - h) / 2 - top;
  place();
}

svg.addEventListener(
  "wheel",
  (event) => {
    event.preventDefault();
    const { left, top } = svg.getBoundingClientRect();
    if (event.ctrlKey || !event.shiftKey) zoom(Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.0015)), event.clientX - left, event.clientY - top);
    else {
      view.x -= event.deltaY;
      place();
    }
  },
  { passive: false },
);
svg.addEventListener("pointerdown", (event) => {
  pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
  if (pointers.size === 1) dragged = false;
});
svg.addEventListener("pointermove", (event) => {
  const last = pointers.get(event.pointerId);
  if (!last) return;
  const now = { x: event.clientX, y: event.clientY };
  const other = [...pointers].find(([id]) => id !== event.pointerId)?.[1];
  if (!dragged && !other && Math.hypot(now.x - last.x, now.y - last.y) < 4) return;
  if (!dragged) {
    dragged = true;
    svg.setPointerCapture(event.pointerId);
    svg.classList.add("moving");
  }
  if (other) {
    const { left, top } = svg.getBoundingClientRect();
    const far = (p) => Math.hypot(p.x - other.x, p.y - other.y) || 1;
    zoom(far(now) / far(last), (now.x + other.x) / 2 - left, (now.y + other.y) / 2 - top);
  } else {
    view.x += now.x - last.x;
    view.y += now.y - last.y;
    place();
  }
  pointers.set(event.pointerId, now);
});
for (const end of ["pointerup", "pointercancel"]) {
  svg.addEventListener(end, (event) => {
    pointers.delete(event.pointerId);
    svg.classList.remove("moving");
  });
}
