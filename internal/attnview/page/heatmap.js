// The heatmap of the chosen plane. As with the lines, a pane scrolls over empty
// room, and the canvas behind it draws what is in sight, labels included.
const heat = document.getElementById("heat");
const pane = heat.querySelector(".pane");
const room = heat.querySelector(".room");
const picture = document.createElement("canvas"); // a pixel a weight
const labelFont = "12px system-ui, -apple-system, 'Segoe UI', 'Noto Sans', 'DejaVu Sans', sans-serif";
const labelHeight = 13;
let zoom = 0; // pixels a weight; 0: as fits
let cursor = null; // {q, k}
let margins = { left: 0, top: 0 };

function shortened(context, token, width) {
  let text = (token.joined ? "…" : "") + token.label;
  if (context.measureText(text).width <= width) return text;
  let runes = [...text];
  while (runes.length > 1 && context.measureText(runes.join("") + "…").width > width) runes = runes.slice(0, -1);
  return runes.join("") + "…";
}

// measureHeat finds how much room the labels take. They may have a quarter of
// what there is.
function measureHeat() {
  const context = picture.getContext("2d");
  context.font = labelFont;
  const most = Math.min(140, heat.clientWidth / 4);
  const longest = (tokens) => Math.min(most, Math.max(...tokens.map((t) => Math.ceil(context.measureText((t.joined ? "…" : "") + t.label).width))));
  margins = { left: longest(current.map.queries) + 14, top: longest(current.map.keys) + 14 };
}

function cellSize() {
  if (zoom) return zoom;
  const fit = (heat.clientWidth - margins.left - 18) / current.map.k;
  return Math.min(Math.max(fit, 2), 40);
}

function buildHeat() {
  cursor = null;
  measureHeat();
}

function paintHeat() {
  paint(picture, current.bytes, current.map.k, current.map.q);
}

function drawHeat() {
  const { q, k, queries, keys } = current.map, size = cellSize();
  room.style.width = margins.left + k * size + 2 + "px";
  room.style.height = margins.top + q * size + 2 + "px";
  const { context } = stage(heat.querySelector("canvas"));
  const w = pane.clientWidth, h = pane.clientHeight, { left, top } = margins;
  const x0 = left - pane.scrollLeft, y0 = top - pane.scrollTop;
  context.imageSmoothingEnabled = false;
  context.save();
  context.beginPath();
  context.rect(left, top, w - left, h - top);
  context.clip();
  context.drawImage(picture, x0, y0, k * size, q * size);
  context.strokeStyle = colours.edge;
  context.strokeRect(x0 - 0.5, y0 - 0.5, k * size + 1, q * size + 1);
  if (cursor) {
    context.strokeStyle = colours.ink;
    context.lineWidth = 2;
    context.strokeRect(x0 + cursor.k * size - 1, y0 + cursor.q * size - 1, size + 2, size + 2);
  }
  context.restore();

  // Where cells are lower than a line, every so many tokens have a label.
  const step = Math.ceil(labelHeight / size);
  context.font = labelFont;
  context.textBaseline = "middle";
  context.save();
  context.beginPath();
  context.rect(0, top - labelHeight / 2, left, h - top + labelHeight);
  context.clip();
  context.textAlign = "right";
  queries.forEach((t, i) => {
    const y = y0 + (i + 0.5) * size;
    if (y < top - size || y > h + size || !(i % step === 0 || cursor?.q === i) || (cursor && cursor.q !== i && Math.abs(cursor.q - i) < step)) return;
    context.fillStyle = cursor?.q === i ? colours.accent : t.special ? colours.faint : colours.ink;
    context.fillText(shortened(context, t, left - 12), left - 6, y);
  });
  context.restore();
  context.save();
  context.beginPath();
  context.rect(left - labelHeight / 2, 0, w - left + labelHeight, top);
  context.clip();
  keys.forEach((t, i) => {
    const x = x0 + (i + 0.5) * size;
    if (x < left - size || x > w + size || !(i % step === 0 || cursor?.k === i) || (cursor && cursor.k !== i && Math.abs(cursor.k - i) < step)) return;
    context.save();
    context.translate(x, top - 6);
    context.rotate(-Math.PI / 2);
    context.fillStyle = cursor?.k === i ? colours.accent : t.special ? colours.faint : colours.ink;
    context.fillText(shortened(context, t, top - 12), 0, 0);
    context.restore();
  });
  context.restore();
}

// point moves the cursor to a weight and says what it is.
function point(q, k) {
  cursor = q === null ? null : { q, k };
  const cell = document.getElementById("cell");
  cell.replaceChildren();
  if (cursor) {
    cell.append(label(current.map.queries[q]), ` (${q}) looks at `, label(current.map.keys[k]), ` (${k}): `,
      element("b", {}, percent(weight(current.bytes[q * current.map.k + k]))));
  }
  drawHeat();
}

pane.addEventListener("mousemove", (event) => {
  const box = pane.getBoundingClientRect(), size = cellSize();
  const x = event.clientX - box.left, y = event.clientY - box.top;
  const k = Math.floor((x + pane.scrollLeft - margins.left) / size), q = Math.floor((y + pane.scrollTop - margins.top) / size);
  const inside = x >= margins.left && y >= margins.top && k >= 0 && q >= 0 && k < current.map.k && q < current.map.q;
  if (inside) point(q, k);
  else if (cursor) point(null);
});
pane.addEventListener("mouseleave", () => point(null));
pane.addEventListener("click", () => cursor && choose({ token: { side: 0, index: cursor.q } }));
pane.addEventListener("scroll", () => requestAnimationFrame(drawHeat));
pane.addEventListener("keydown", (event) => {
  const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
  if (!step || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  const from = cursor || { q: -step[0], k: -step[1] };
  const q = Math.min(Math.max(from.q + step[0], 0), current.map.q - 1);
  const k = Math.min(Math.max(from.k + step[1], 0), current.map.k - 1);
  const size = cellSize();
  const into = (at, margin, view, scroll) => Math.max(Math.min(scroll, at * size), margin + (at + 1) * size + 4 - view);
  pane.scrollLeft = into(k, margins.left, pane.clientWidth, pane.scrollLeft);
  pane.scrollTop = into(q, margins.top, pane.clientHeight, pane.scrollTop);
  point(q, k);
});

function setZoom(size) {
  zoom = size && Math.min(Math.max(Math.round(size), 1), 48);
  drawHeat();
}
document.getElementById("smaller").addEventListener("click", () => setZoom(Math.min(cellSize() - 1, cellSize() / 1.5)));
document.getElementById("larger").addEventListener("click", () => setZoom(Math.max(cellSize() + 1, cellSize() * 1.5)));
document.getElementById("fit").addEventListener("click", () => setZoom(0));
