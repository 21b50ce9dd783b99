// What is chosen. The address's fragment holds it too, so that a view can be
// linked to: #layer=2&head=5&overview=entropy&token=q3&theme=dark
const state = { map: 0, layer: report.layer, head: report.plane || "0", overview: "", token: null, theme: "system" };

// What that comes to.
const current = { map: null, plane: null, bytes: null };

const control = (name) => document.getElementById(name);

function readHash() {
  const params = new URLSearchParams(location.hash.slice(1));
  const whole = (name, limit, otherwise) => {
    const text = params.get(name);
    return /^\d+$/.test(text ?? "") && Number(text) < limit ? Number(text) : otherwise;
  };
  state.map = whole("map", report.maps.length, state.map);
  const map = report.maps[state.map];
  state.layer = whole("layer", map.layers.length, Math.min(state.layer, map.layers.length - 1));
  state.head = params.get("head") ?? state.head;
  state.overview = params.get("overview") ?? state.overview;
  if (["system", "light", "dark"].includes(params.get("theme"))) state.theme = params.get("theme");
  const token = /^([qk])(\d+)$/.exec(params.get("token") ?? "");
  state.token = token ? { side: token[1] === "k" ? 1 : 0, index: Number(token[2]) } : null;
}

function writeHash() {
  const params = new URLSearchParams();
  if (report.maps.length > 1) params.set("map", state.map);
  params.set("layer", state.layer);
  params.set("head", state.head);
  if (state.overview) params.set("overview", state.overview);
  if (state.token) params.set("token", "qk"[state.token.side] + state.token.index);
  if (state.theme !== "system") params.set("theme", state.theme);
  history.replaceState(null, "", "#" + params);
}

// choose changes what is shown.
function choose(change) {
  Object.assign(state, change);
  show();
  writeHash();
}

const systemDark = matchMedia("(prefers-color-scheme: dark)");

// show brings the page to the state, and builds no more than has changed.
function show() {
  const root = document.documentElement, map = report.maps[state.map];
  const theme = state.theme === "system" ? (systemDark.matches ? "dark" : "light") : state.theme;
  const newTheme = theme !== root.dataset.theme, newMap = map !== current.map;
  if (newTheme) {
    root.dataset.theme = theme;
    readColours();
  }
  if (newMap) {
    current.map = map;
    state.layer = Math.min(state.layer, map.layers.length - 1);
    hovered = null;
    fill(control("layer"), map.layers.map((_, l) => String(l)));
    fill(control("overview"), ["", ...map.statistics.map((s) => s.key)], ["weights", ...map.statistics.map((s) => s.name)]);
    const pictured = Boolean(map.picture);
    document.querySelector("main").classList.toggle("pictured", pictured);
    control("look-section").hidden = !pictured;
    control("lines-section").hidden = pictured;
    buildOverview();
    if (pictured) buildLook();
    else buildLines();
    buildHeat();
  }
  if (!map.statistics.some((s) => s.key === state.overview)) state.overview = "";
  const layer = map.layers[state.layer];
  const plane = layer.find((p) => p.name === state.head) || layer[0];
  const newPlane = plane !== current.plane;
  state.head = plane.name;
  if (newPlane) {
    current.plane = plane;
    current.bytes = planeBytes(map, plane);
    fill(control("head"), layer.map((p) => p.name));
    const what = `layer ${state.layer}, ${isHead(plane.name) ? "head " : ""}${plane.name}`;
    for (const e of document.querySelectorAll("[data-what]")) e.textContent = what;
  }
  if (state.token && state.token.index >= (state.token.side ? map.k : map.q)) state.token = null;
  for (const name of ["map", "layer", "head", "overview", "theme"]) control(name).value = state[name];
  const looks = map.picture && String(lookToken(map)) !== root.dataset.looks;
  if (newTheme || newMap || looks || root.dataset.overview !== state.overview) drawOverview();
  if (newTheme || newPlane) paintHeat();
  markTile();
  drawFocus();
  drawHeat();
  Object.assign(root.dataset, {
    map: state.map, layer: state.layer, head: state.head, overview: state.overview,
    layers: map.layers.length, planes: layer.length, queries: map.q, keys: map.k,
    token: state.token ? "qk"[state.token.side] + state.token.index : "",
  });
}

// drawFocus draws what depends on the token that is hovered over or chosen.
function drawFocus() {
  if (current.map.picture) return drawLook();
  drawTokens();
  drawLines();
}

function fill(select, values, names = values) {
  select.replaceChildren(...values.map((value, i) => element("option", { value }, names[i])));
}

function note() {
  const kept = report.maps.filter((m) => m.top).map((m) => m.top);
  let text = "Weights are stored here as bytes, 255·√w: the error of a weight w is below 0.004·√w.";
  if (kept.length) text += ` There are too many for a page, so each row keeps its ${Math.max(...kept)} largest${report.maps.some((m) => m.whole) ? ", but the class token's all" : ""}.`;
  control("note").textContent = text + " Statistics were computed from the weights as they are.";
}

async function main() {
  for (const map of report.maps) {
    await unpack(map);
    await unpackPicture(map);
  }
  fill(control("map"), report.maps.map((_, i) => String(i)), report.maps.map((m) => m.name));
  control("map-label").hidden = report.maps.length < 2;
  for (const name of ["map", "layer", "head", "overview", "theme"]) {
    control(name).addEventListener("change", (event) => {
      const value = event.target.value;
      choose({ [name]: name === "map" || name === "layer" ? Number(value) : value });
    });
  }
  control("controls").addEventListener("submit", (event) => event.preventDefault());
  addEventListener("hashchange", () => {
    readHash();
    show();
  });
  systemDark.addEventListener("change", show);
  // At the next frame: what is drawn may change its own size.
  new ResizeObserver(() => requestAnimationFrame(() => {
    measureHeat();
    drawFocus();
    drawHeat();
  })).observe(document.querySelector("main"));
  note();
  readHash();
  show();
  document.documentElement.dataset.ready = "true";
}

function fail(message) {
  control("note").textContent = `Something went wrong: ${message}. This page needs a browser of 2023 or later.`;
  document.documentElement.dataset.failed = message;
}

addEventListener("error", (event) => fail(event.message));
main().catch((error) => fail(error.message));
