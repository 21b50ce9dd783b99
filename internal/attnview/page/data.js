// The report as Go wrote it, and its weights: bytes that stand for (b/255)².
const report = JSON.parse(document.getElementById("data").textContent);

const weight = (byte) => (byte / 255) * (byte / 255);

const percent = (w) => (100 * w).toFixed(w < 0.0995 ? 1 : 0) + "%";

// inflate gives the bytes that base64 of deflated ones stands for.
async function inflate(base64) {
  const text = atob(base64);
  const packed = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) packed[i] = text.charCodeAt(i);
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// unpack inflates a map's weights and numbers its planes.
async function unpack(map) {
  map.bytes = await inflate(map.data);
  map.data = null;
  if (map.whole) map.wholeBytes = await inflate(map.wholeData);
  map.wholeData = null;
  map.keys ||= map.queries;
  map.q = map.queries.length;
  map.k = map.keys.length;
  let n = 0;
  for (const layer of map.layers) for (const plane of layer) plane.index = n++;
  map.planes = n;
}

// planeBytes gives a plane's weights as q·k bytes. Where the page has only the
// largest of a row, the others are 0.
function planeBytes(map, plane) {
  const size = map.q * map.k;
  if (!map.top) return map.bytes.subarray(plane.index * size, (plane.index + 1) * size);
  const dense = new Uint8Array(size);
  let at = plane.index * map.q * map.top * 3;
  for (let q = 0; q < map.q; q++) {
    for (let i = 0; i < map.top; i++, at += 3) {
      dense[q * map.k + map.bytes[at] + 256 * map.bytes[at + 1]] = map.bytes[at + 2];
    }
  }
  return dense;
}

// pool gives the plane at most size×size large: of the weights that fall
// together the largest.
function pool(map, plane, size) {
  const bytes = planeBytes(map, plane);
  const step = Math.ceil(Math.max(map.q, map.k) / size);
  const w = Math.ceil(map.k / step), h = Math.ceil(map.q / step);
  const out = new Uint8Array(w * h);
  for (let q = 0, i = 0; q < map.q; q++) {
    const row = Math.floor(q / step) * w;
    for (let k = 0; k < map.k; k++, i++) {
      const to = row + Math.floor(k / step);
      if (bytes[i] > out[to]) out[to] = bytes[i];
    }
  }
  return { bytes: out, w, h };
}
