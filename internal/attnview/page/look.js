// The view on a picture: what one token gives to the patches, over the picture,
// large for the chosen plane and small in the overview.
const look = document.getElementById("look");
const from = document.getElementById("from");

// unpackPicture makes a canvas of the picture that a map's keys are patches of.
async function unpackPicture(map) {
  const picture = map.picture;
  if (!picture) return;
  const rgb = await inflate(picture.rgb), size = picture.across * picture.down;
  picture.rgb = null;
  picture.image = element("canvas", { width: picture.across, height: picture.down });
  const context = picture.image.getContext("2d"), pixels = context.createImageData(picture.across, picture.down);
  for (let i = 0; i < size; i++) {
    for (let c = 0; c < 3; c++) pixels.data[4 * i + c] = rgb[3 * i + c];
    pixels.data[4 * i + 3] = 255;
  }
  context.putImageData(pixels, 0, 0);
  picture.patches = picture.rows * picture.cols;
  map.self = map.kind === "self";
}

const isPatch = (map, key) => key >= map.picture.first && key < map.picture.first + map.picture.patches;

// lookToken is the query that is shown: the one hovered over or chosen, else the
// class token, else -1 for all together.
function lookToken(map) {
  const token = hovered || state.token;
  if (token && token.side === 0) return token.index;
  return map.self && map.picture.first > 0 ? 0 : -1;
}

// isCut tells whether a query has its largest weights alone.
const isCut = (map, query) => map.top > 0 && !(query < map.whole);

// lookRow gives what a query gives to every key.
function lookRow(map, plane, query) {
  const row = new Float32Array(map.k);
  const add = (q, share) => {
    if (!isCut(map, q)) {
      const [bytes, rows] = map.top ? [map.wholeBytes, map.whole] : [map.bytes, map.q];
      const at = (plane.index * rows + q) * map.k;
      for (let k = 0; k < map.k; k++) row[k] += share * weight(bytes[at + k]);
      return;
    }
    let at = (plane.index * map.q + q) * map.top * 3;
    for (let i = 0; i < map.top; i++, at += 3) row[map.bytes[at] + 256 * map.bytes[at + 1]] += share * weight(map.bytes[at + 2]);
  };
  if (query >= 0) add(query, 1);
  else for (let q = 0; q < map.q; q++) add(q, 1 / map.q);
  return row;
}

// overlay draws the picture and the patches' weights over it, from the least to
// the largest, which it gives.
const patchCanvas = document.createElement("canvas");
function overlay(context, map, row, w, h) {
  const { image, first, rows, cols, patches, width, height, patchWidth, patchHeight } = map.picture;
  context.imageSmoothingEnabled = true;
  context.imageSmoothingQuality = "high";
  context.drawImage(image, 0, 0, w, h);
  const weights = row.subarray(first, first + patches);
  const least = Math.min(...weights), most = Math.max(...weights);
  patchCanvas.width = cols;
  patchCanvas.height = rows;
  const small = patchCanvas.getContext("2d"), pixels = small.createImageData(cols, rows);
  for (let i = 0; i < patches; i++) {
    const share = most > least ? Math.round(255 * Math.sqrt((weights[i] - least) / (most - least))) : 0;
    pixels.data.set(heatColours.subarray(4 * share, 4 * share + 4), 4 * i);
  }
  small.putImageData(pixels, 0, 0);
  context.imageSmoothingEnabled = false;
  context.drawImage(patchCanvas, 0, 0, (w * cols * patchWidth) / width, (h * rows * patchHeight) / height);
  return [least, most];
}

// drawTile draws a plane's tile of the overview.
function drawTile(map, plane, size) {
  const canvas = plane.tile.querySelector("canvas") || element("canvas");
  const scale = window.devicePixelRatio || 1;
  canvas.width = Math.round(size * scale);
  canvas.height = Math.round((size * scale * map.picture.height) / map.picture.width);
  overlay(canvas.getContext("2d"), map, lookRow(map, plane, lookToken(map)), canvas.width, canvas.height);
  if (!canvas.parentElement) plane.tile.replaceChildren(canvas);
}

function buildLook() {
  const map = current.map, tokens = map.queries;
  const list = tokens.map((t, i) => i).filter((i) => !map.self || !isPatch(map, i));
  from.replaceChildren(...list.map((i) => element("option", { value: i }, label(tokens[i]).textContent)));
  if (!list.length || lookToken(map) < 0) from.prepend(element("option", { value: -1 }, "all tokens"));
  from.append(element("option", { value: "patch", hidden: "" }));
}

// boxOf is where a patch lies on a picture of the given size.
function boxOf(map, key, w, h) {
  const { first, cols, width, height, patchWidth, patchHeight } = map.picture;
  const i = key - first, x = (patchWidth * w) / width, y = (patchHeight * h) / height;
  return [(i % cols) * x, Math.floor(i / cols) * y, x, y];
}

function drawLook() {
  const map = current.map, query = lookToken(map), row = lookRow(map, current.plane, query);
  const room = Math.min(look.parentElement.clientWidth, 1.6 * innerHeight);
  const w = Math.min(room, (0.74 * innerHeight * map.picture.width) / map.picture.height), h = (w * map.picture.height) / map.picture.width;
  look.style.width = w + "px";
  look.style.height = h + "px";
  const { context } = stage(look.querySelector("canvas"));
  const [least, most] = overlay(context, map, row, w, h);
  const chosen = map.self && query >= 0 && isPatch(map, query);
  if (chosen) {
    const box = boxOf(map, query, w, h);
    context.lineWidth = 4;
    context.strokeStyle = "#101418";
    context.strokeRect(...box);
    context.lineWidth = 2;
    context.strokeStyle = "#ffffff";
    context.strokeRect(...box);
  }
  const other = from.lastChild;
  other.hidden = !chosen;
  other.textContent = chosen ? map.queries[query].label : "";
  from.value = chosen ? "patch" : String(query);
  document.getElementById("least").textContent = percent(least);
  document.getElementById("most").textContent = percent(most);

  let onPicture = 0, best = map.picture.first;
  for (let i = 0; i < map.picture.patches; i++) {
    const key = map.picture.first + i;
    onPicture += row[key];
    if (row[key] > row[best]) best = key;
  }
  const others = [];
  for (let key = 0; key < map.k; key++) if (!isPatch(map, key)) others.push(key);
  others.sort((a, b) => row[b] - row[a]);
  const say = [query < 0 ? "All tokens together" : label(map.queries[query]), ` give${query < 0 ? "" : "s"} ${isCut(map, query) ? "at least " : ""}`, element("b", {}, percent(onPicture)),
    " to the picture, most of it to ", label(map.keys[best])];
  for (const key of others.slice(0, 2)) if (row[key] >= 0.005) say.push(", ", element("b", {}, percent(row[key])), " to ", label(map.keys[key]));
  document.getElementById("looked").replaceChildren(...say);
  Object.assign(document.documentElement.dataset, { looks: query, most: percent(most) });
}

// Tiles follow the query at the next frame: there may be hundreds.
let tilesWait = false;
function followTiles() {
  if (tilesWait || state.overview) return;
  tilesWait = true;
  requestAnimationFrame(() => {
    tilesWait = false;
    if (current.map.picture && !state.overview) drawOverview();
  });
}

function hoverPatch(key) {
  const token = key < 0 ? null : { side: 0, index: key };
  if (hovered?.index === token?.index) return;
  hovered = token;
  drawLook();
  followTiles();
}

// patchAt is the key of the patch under the pointer, -1 for none.
function patchAt(event) {
  const map = current.map, box = look.getBoundingClientRect();
  const { first, rows, cols, width, height, patchWidth, patchHeight } = map.picture;
  const col = Math.floor((((event.clientX - box.left) / box.width) * width) / patchWidth);
  const row = Math.floor((((event.clientY - box.top) / box.height) * height) / patchHeight);
  return col >= 0 && row >= 0 && col < cols && row < rows ? first + row * cols + col : -1;
}

look.addEventListener("pointermove", (event) => current.map.self && hoverPatch(patchAt(event)));
look.addEventListener("pointerleave", () => current.map.self && hoverPatch(-1));
look.addEventListener("click", (event) => {
  const key = patchAt(event);
  if (!current.map.self || key < 0) return;
  hovered = null;
  choose({ token: state.token?.index === key ? null : { side: 0, index: key } });
});
look.addEventListener("keydown", (event) => {
  const map = current.map, step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
  if (!map.self || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Enter" || event.key === "Escape") {
    choose({ token: null });
  } else if (step) {
    const { first, rows, cols } = map.picture, query = lookToken(map);
    const at = isPatch(map, query) ? query - first : Math.floor(rows / 2) * cols + Math.floor(cols / 2);
    const row = Math.min(Math.max(Math.floor(at / cols) + step[0], 0), rows - 1);
    const col = Math.min(Math.max((at % cols) + step[1], 0), cols - 1);
    choose({ token: { side: 0, index: first + row * cols + col } });
  } else {
    return;
  }
  event.preventDefault();
});
from.addEventListener("change", () => {
  const index = Number(from.value);
  if (from.value !== "patch") choose({ token: index < 0 ? null : { side: 0, index } });
});
