// The view from token to token. The lists scroll; the canvas behind them draws
// the lines that are in sight, so that any length will do.
const frame = document.getElementById("lines");
const tracks = frame.querySelector(".tracks");
const sides = [document.getElementById("queries"), document.getElementById("keys")];
const rowHeight = 22, topPadding = 6;
const leastLine = 5; // a weight of 0.0004 would draw nothing that one can see
const mostDetails = 10;

// label gives a token as an element: its text goes in as text, whatever it says.
function label(token) {
  return element("bdi", {}, token.label);
}

function buildLines() {
  sides.forEach((list, side) => {
    const tokens = side ? current.map.keys : current.map.queries;
    list.replaceChildren(...tokens.map((t, i) => {
      const item = element("li", { role: "option", id: `token-${side}-${i}` }, label(t), element("i"));
      item.classList.toggle("special", t.special);
      item.classList.toggle("joined", t.joined);
      item.title = `${i}: ${t.token} (${t.id})`;
      return item;
    }));
  });
}

// eachWeight calls f with the weights of a token: those it gives, if it is on
// the left, or those it gets.
function eachWeight(token, f) {
  const { q, k } = current.map, bytes = current.bytes;
  if (token.side === 0) for (let i = 0; i < k; i++) f(i, bytes[token.index * k + i]);
  else for (let i = 0; i < q; i++) f(i, bytes[i * k + token.index]);
}

// drawLines draws the lines of the token that is hovered over or chosen, or of
// all.
function drawLines() {
  const { context, w } = stage(frame.querySelector("canvas"));
  const x0 = sides[0].offsetWidth + 2, x1 = w - (tracks.offsetWidth - tracks.clientWidth) - sides[1].offsetWidth - 2;
  const y = (i) => topPadding + (i + 0.5) * rowHeight - tracks.scrollTop;
  const height = tracks.clientHeight, token = focusToken();
  let drawn = 0;
  const line = (from, to, byte) => {
    const a = y(from), b = y(to);
    if ((a < 0 && b < 0) || (a > height && b > height)) return;
    drawn++;
    context.globalAlpha = Math.max(weight(byte), token ? 0.05 : 0);
    context.beginPath();
    context.moveTo(x0, a);
    context.bezierCurveTo(x0 + (x1 - x0) * 0.3, a, x1 - (x1 - x0) * 0.3, b, x1, b);
    context.stroke();
  };
  context.strokeStyle = colours.accent;
  context.lineWidth = 2;
  if (token) {
    eachWeight(token, (i, byte) => {
      if (byte >= leastLine) token.side === 0 ? line(token.index, i, byte) : line(i, token.index, byte);
    });
  } else {
    // Lines fainter than this are lost among thousands, and cost as much.
    const least = current.map.q > 64 ? 40 : 20;
    for (let i = 0; i < current.map.q; i++) {
      for (let j = 0; j < current.map.k; j++) {
        const byte = current.bytes[i * current.map.k + j];
        if (byte >= least) line(i, j, byte);
      }
    }
  }
  document.documentElement.dataset.lines = drawn;
}

// drawTokens tints the tokens on the other side by their weights, and lists the
// largest.
function drawTokens() {
  const token = focusToken();
  sides.forEach((list, side) => {
    for (const item of list.children) {
      item.style.background = "";
      item.lastChild.textContent = "";
      item.classList.remove("chosen");
      item.removeAttribute("aria-selected");
    }
    list.removeAttribute("aria-activedescendant");
    if (state.token?.side === side) list.setAttribute("aria-activedescendant", `token-${side}-${state.token.index}`);
  });
  const details = document.getElementById("details");
  details.replaceChildren();
  if (!token) return;
  const self = sides[token.side].children[token.index];
  self.classList.add("chosen");
  self.setAttribute("aria-selected", "true");
  const found = [];
  eachWeight(token, (i, byte) => {
    if (byte < leastLine) return;
    const item = sides[1 - token.side].children[i], w = weight(byte);
    item.style.background = `rgb(${colours.tint} / ${Math.min(0.75, w)})`;
    if (w >= 0.005) item.lastChild.textContent = percent(w);
    found.push({ i, w });
  });
  found.sort((a, b) => b.w - a.w || a.i - b.i);
  const [own, other] = token.side ? [current.map.keys, current.map.queries] : [current.map.queries, current.map.keys];
  details.append(
    element("p", {}, element("b", {}, label(own[token.index])), token.side ? " is looked at by" : " looks at",
      ...(found.length ? [] : [" nothing"])),
    element("ol", {}, ...found.slice(0, mostDetails).map(({ i, w }) => {
      const bar = element("b");
      bar.style.width = 100 * Math.min(w, 1) + "%";
      return element("li", {}, element("span", { class: "share" }, percent(w)), element("span", { class: "bar" }, bar),
        element("bdi", {}, other[i].label, " ", element("small", {}, String(i))));
    })));
}

// A token hovered over comes before the chosen one.
let hovered = null;
const focusToken = () => hovered || state.token;

function hover(token) {
  if (hovered?.side === token?.side && hovered?.index === token?.index) return;
  hovered = token;
  drawLines();
  drawTokens();
}

sides.forEach((list, side) => {
  const indexOf = (event) => {
    const item = event.target.closest("li");
    return item ? Array.prototype.indexOf.call(list.children, item) : -1;
  };
  list.addEventListener("mouseover", (event) => {
    const index = indexOf(event);
    hover(index < 0 ? null : { side, index });
  });
  list.addEventListener("mouseleave", () => hover(null));
  list.addEventListener("click", (event) => {
    const index = indexOf(event);
    if (index < 0) return;
    hovered = null;
    const same = state.token?.side === side && state.token.index === index;
    choose({ token: same ? null : { side, index } });
  });
  list.addEventListener("keydown", (event) => {
    const last = list.children.length - 1;
    const at = state.token?.side === side ? state.token.index : -1;
    const page = Math.floor(tracks.clientHeight / rowHeight) - 1;
    const to = {
      ArrowDown: at + 1, ArrowUp: at < 0 ? last : at - 1, Home: 0, End: last, PageDown: at + page, PageUp: at - page,
    }[event.key];
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "ArrowLeft" || event.key === "ArrowRight") {
      const other = event.key === "ArrowRight" ? 1 : 0;
      choose({ token: { side: other, index: Math.min(Math.max(at, 0), sides[other].children.length - 1) } });
      sides[other].focus({ preventScroll: true });
    } else if (event.key === "Enter" || event.key === "Escape") {
      choose({ token: null });
    } else if (to !== undefined) {
      const index = Math.min(Math.max(to, 0), last);
      choose({ token: { side, index } });
      list.children[index].scrollIntoView({ block: "nearest" });
    } else {
      return;
    }
    event.preventDefault();
  });
});
tracks.addEventListener("scroll", () => requestAnimationFrame(drawLines));
