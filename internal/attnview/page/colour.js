// Colours come from the style sheet, so that it alone knows the themes.
let colours, ramp, heatColours;

function readColours() {
  const style = getComputedStyle(document.documentElement);
  colours = {};
  for (const name of ["paper", "panel", "ink", "faint", "edge", "accent"]) {
    colours[name] = style.getPropertyValue("--" + name).trim();
  }
  colours.tint = style.getPropertyValue("--tint").trim();
  const stops = style.getPropertyValue("--ramp").split(",").map((s) => s.trim().split(/\s+/).map(Number));
  ramp = new Uint8Array(3 * 256);
  for (let i = 0; i < 256; i++) {
    const at = (i / 255) * (stops.length - 1);
    const low = Math.min(Math.floor(at), stops.length - 2);
    for (let c = 0; c < 3; c++) {
      ramp[3 * i + c] = Math.round(stops[low][c] + (at - low) * (stops[low + 1][c] - stops[low][c]));
    }
  }
  // Over a picture colours have a fourth number: how much of it they hide, in percent.
  const heat = style.getPropertyValue("--heat").split(",").map((s) => s.trim().split(/\s+/).map(Number));
  heatColours = new Uint8Array(4 * 256);
  const shown = document.getElementById("heat-ramp").getContext("2d"), line = shown.createImageData(256, 1);
  for (let i = 0; i < 256; i++) {
    const at = (i / 255) * (heat.length - 1);
    const low = Math.min(Math.floor(at), heat.length - 2);
    for (let c = 0; c < 4; c++) {
      const x = heat[low][c] + (at - low) * (heat[low + 1][c] - heat[low][c]);
      heatColours[4 * i + c] = Math.round(c < 3 ? x : 2.55 * x);
    }
    line.data.set([...heatColours.subarray(4 * i, 4 * i + 3), 255], 4 * i);
  }
  shown.putImageData(line, 0, 0);
  const canvas = document.getElementById("ramp");
  paint(canvas, Uint8Array.from({ length: 256 }, (_, i) => i), 256, 1);
}

const rampColour = (byte) => `rgb(${ramp[3 * byte]} ${ramp[3 * byte + 1]} ${ramp[3 * byte + 2]})`;

// rampInk is what can be read on a colour of the ramp.
function rampInk(byte) {
  const [r, g, b] = ramp.subarray(3 * byte, 3 * byte + 3);
  return 0.3 * r + 0.59 * g + 0.11 * b > 140 ? "#14181c" : "#ffffff";
}

// paint draws bytes as a picture of w×h pixels.
function paint(canvas, bytes, w, h) {
  canvas.width = w;
  canvas.height = h;
  const context = canvas.getContext("2d");
  const image = context.createImageData(w, h);
  for (let i = 0; i < w * h; i++) {
    image.data.set(ramp.subarray(3 * bytes[i], 3 * bytes[i] + 3), 4 * i);
    image.data[4 * i + 3] = 255;
  }
  context.putImageData(image, 0, 0);
}

// stage makes a canvas as large as its frame and gives it in the frame's pixels.
function stage(canvas) {
  const frame = canvas.parentElement;
  const w = frame.clientWidth, h = frame.clientHeight, scale = window.devicePixelRatio || 1;
  canvas.width = Math.round(w * scale);
  canvas.height = Math.round(h * scale);
  canvas.style.width = w + "px";
  canvas.style.height = h + "px";
  const context = canvas.getContext("2d");
  context.setTransform(scale, 0, 0, scale, 0, 0);
  return { context, w, h };
}
