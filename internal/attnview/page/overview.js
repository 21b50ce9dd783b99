// The overview: a tile for each plane, a row a layer. It shows the weights, or a
// statistic as a number and a colour.
const grid = document.getElementById("grid");
const thumbSize = 84;

function element(tag, attributes, ...children) {
  const e = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) e.setAttribute(name, value);
  e.append(...children);
  return e;
}

// columns names the planes of the layer that has most: the heads, then those
// made of them. Other layers lack some.
function columns(map) {
  return map.layers.reduce((a, b) => (b.length > a.length ? b : a)).map((p) => p.name);
}

const isHead = (name) => /^\d+$/.test(name);

function buildOverview() {
  const map = current.map, names = columns(map);
  const head = element("tr", {}, element("th"));
  for (const name of names) head.append(element("th", isHead(name) ? { scope: "col" } : { scope: "col", class: "made" }, name));
  const body = element("tbody");
  map.layers.forEach((layer, l) => {
    const row = element("tr", {}, element("th", { scope: "row" }, "layer " + l));
    for (const name of names) {
      const cell = element("td", isHead(name) ? {} : { class: "made" });
      const plane = layer.find((p) => p.name === name);
      if (plane) {
        plane.tile = element("button", { type: "button", class: "tile", tabindex: "-1" });
        plane.tile.addEventListener("click", () => choose({ layer: l, head: name }));
        cell.append(plane.tile);
      }
      row.append(cell);
    }
    body.append(row);
  });
  grid.replaceChildren(element("thead", {}, head), body);
}

function drawOverview() {
  const map = current.map, index = map.statistics.findIndex((s) => s.key === state.overview);
  const help = document.getElementById("overview-help");
  let low = Infinity, high = -Infinity;
  if (index < 0) {
    help.textContent = map.picture
      ? "What the token looks at, by every head, from each tile's least to its largest weight. Choose a head to see it large: arrows move."
      : "Every head's weights, small. A row of a picture looks at its columns. Choose a head to see it below: arrows move.";
  } else {
    const s = map.statistics[index];
    help.textContent = `${s.name}: ${s.help}` + (s.unit ? `, in ${s.unit}.` : ".");
    for (const layer of map.layers) {
      for (const p of layer) {
        low = Math.min(low, p.statistics[index]);
        high = Math.max(high, p.statistics[index]);
      }
    }
  }
  // Tiles take the width that there is, within reason.
  const room = (grid.parentElement.clientWidth - 130) / columns(map).length - 4;
  const tile = Math.min(Math.max(Math.floor(room), 40), 84);
  grid.style.setProperty("--tile", tile + "px");
  grid.style.setProperty("--tile-height", (map.picture ? (tile * map.picture.height) / map.picture.width : tile) + "px");
  let tiles = 0;
  map.layers.forEach((layer, l) => {
    for (const p of layer) {
      tiles++;
      const what = isHead(p.name) ? `head ${p.name}` : p.name;
      p.tile.classList.toggle("number", index >= 0);
      p.tile.style.background = p.tile.style.color = "";
      if (index < 0) {
        if (map.picture) {
          drawTile(map, p, tile);
        } else {
          p.thumb ||= pool(map, p, thumbSize);
          const canvas = element("canvas");
          paint(canvas, p.thumb.bytes, p.thumb.w, p.thumb.h);
          p.tile.replaceChildren(canvas);
        }
        p.tile.setAttribute("aria-label", `layer ${l}, ${what}`);
        p.tile.title = map.statistics.map((s, i) => `${s.name} ${number(p.statistics[i])} ${s.unit}`.trim()).join("\n");
        continue;
      }
      const x = p.statistics[index];
      const byte = Math.round((255 * (x - low)) / (high - low || 1));
      p.tile.replaceChildren(number(x));
      p.tile.title = "";
      p.tile.style.background = rampColour(byte);
      p.tile.style.color = rampInk(byte);
      p.tile.setAttribute("aria-label", `layer ${l}, ${what}: ${map.statistics[index].name} ${number(x)} ${map.statistics[index].unit}`.trim());
    }
  });
  document.documentElement.dataset.tiles = tiles;
}

const number = (x) => (Math.abs(x) < 9.995 ? x.toFixed(2) : x.toFixed(1));

// markTile shows which plane is chosen. It alone is reached by Tab.
function markTile() {
  for (const layer of current.map.layers) {
    for (const p of layer) {
      p.tile.setAttribute("aria-pressed", p === current.plane);
      p.tile.tabIndex = p === current.plane ? 0 : -1;
    }
  }
}

grid.addEventListener("keydown", (event) => {
  const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
  if (!step || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  const names = columns(current.map);
  let l = state.layer, column = names.indexOf(current.plane.name);
  for (;;) {
    l += step[0];
    column += step[1];
    const layer = current.map.layers[l];
    if (!layer || !names[column]) return;
    const plane = layer.find((p) => p.name === names[column]);
    if (plane) {
      choose({ layer: l, head: plane.name });
      plane.tile.focus();
      return;
    }
  }
});
