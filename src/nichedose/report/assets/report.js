"use strict";
(() => {
  const root = document.documentElement;
  root.classList.add("js");
  const $ = (selector, from = document) => from.querySelector(selector);
  const $$ = (selector, from = document) => [...from.querySelectorAll(selector)];
  const index = JSON.parse($("#map-index").textContent);
  const state = { mode: null, section: 0, layer: null, candidate: null };
  const probe = { x: null, y: null };

  /* ---- numbers ---- */
  const superscripts = { "-": "⁻", 0: "⁰", 1: "¹", 2: "²", 3: "³", 4: "⁴", 5: "⁵", 6: "⁶", 7: "⁷", 8: "⁸", 9: "⁹" };
  function number(value) {
    if (value === 0) return "0";
    if (!Number.isFinite(value)) return "not computed";
    const [mantissa, exponent] = value.toExponential(2).split("e");
    const power = Number(exponent);
    const text = power >= -4 && power < 5
      ? Number(value.toPrecision(3)).toFixed(Math.max(0, 2 - power))
      : mantissa + " × 10" + String(power).replace(/./g, (c) => superscripts[c]);
    return text.replace("-", "−");
  }
  const survive = (value) => (value < -10 ? "" : ` (${number(100 * Math.pow(10, value))} % survive)`);
  const withUnit = (value, unit) => (unit === "log10" ? "log10 " + number(value) + survive(value) : number(value) + (unit ? " " + unit : ""));

  /* ---- state in the address: #mode=..&section=..&layer=..&candidate=..; read only: &probe=x,y&zoom=2&at=maps ---- */
  function readHash() {
    const hash = decodeURIComponent(location.hash.slice(1));
    if (!hash.includes("=")) return null;
    const asked = new URLSearchParams(location.hash.slice(1));
    for (const key of ["mode", "layer", "candidate"]) if (asked.get(key)) state[key] = asked.get(key);
    if (asked.get("section")) state.section = Number(asked.get("section")) || 0;
    const place = (asked.get("probe") ?? "").split(",").map(Number);
    if (place.length === 2 && place.every(Number.isInteger)) [probe.x, probe.y] = place;
    return asked;
  }
  function writeHash() {
    const kept = new URLSearchParams();
    for (const [key, value] of Object.entries(state)) if (value !== null && value !== "") kept.set(key, value);
    try { history.replaceState(null, "", "#" + kept); } catch { /* some viewers forbid it; nothing depends on it */ }
  }

  /* ---- modes and sections: buttons show one panel of each kind ---- */
  function press(buttons, isOn) { for (const b of buttons) b.setAttribute("aria-pressed", String(isOn(b))); }
  function setMode(mode) {
    const buttons = $$("[data-mode-button]");
    if (!buttons.some((b) => b.dataset.modeButton === mode)) mode = buttons[0]?.dataset.modeButton ?? mode;
    state.mode = mode;
    press(buttons, (b) => b.dataset.modeButton === mode);
    if (buttons.length) for (const p of $$("[data-mode-panel]")) p.hidden = p.dataset.modePanel !== mode;
  }
  function setSection(section) {
    state.section = Math.min(Math.max(section, 0), Math.max(index.sections.length - 1, 0));
    press($$("[data-section-button]"), (b) => Number(b.dataset.sectionButton) === state.section);
    for (const p of $$("[data-section-panel]")) p.hidden = Number(p.dataset.sectionPanel) !== state.section;
    for (const f of $$("form.layers")) f.hidden = Number(f.dataset.section) !== state.section;
  }
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    if (button.dataset.modeButton) { setMode(button.dataset.modeButton); writeHash(); }
    if (button.dataset.sectionButton) { setSection(Number(button.dataset.sectionButton)); view.fit(); showLayer(); writeHash(); }
  });

  /* ---- maps: decode ---- */
  const decoded = new Map();
  async function codes(layer) {
    if (decoded.has(layer.element)) return decoded.get(layer.element);
    const packed = Uint8Array.from(atob(document.getElementById(layer.element).textContent), (c) => c.charCodeAt(0));
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
    const out = new Uint8Array(await new Response(stream).arrayBuffer());
    const [ny, nx] = layer.shape;
    for (let y = 0, k = 0; y < ny; y++) {
      for (let x = 0; x < nx; x++, k++) {
        const left = x ? out[k - 1] : 0, up = y ? out[k - nx] : 0, corner = x && y ? out[k - nx - 1] : 0;
        const low = Math.min(left, up), high = Math.max(left, up);
        out[k] += Math.min(Math.max(left + up - corner, low), high);
      }
    }
    decoded.set(layer.element, out);
    return out;
  }
  const first = (layer) => (layer.zero ? 2 : 1);
  function valueOf(layer, code) {
    if (layer.scale === "log") {
      if (layer.zero && code === 1) return 0;
      return layer.floor * Math.pow(layer.max / layer.floor, (code - first(layer)) / (255 - first(layer)));
    }
    return layer.min + (layer.max - layer.min) * (code - 1) / 254;
  }

  /* ---- maps: colours ---- */
  const ramps = new Map();
  function ramp(name) {
    if (!ramps.has(name)) {
      const anchors = index.colours[name].trim().split(/\s+/).map((h) => [0, 2, 4].map((i) => parseInt(h.slice(i, i + 2), 16)));
      const table = new Uint8ClampedArray(768);
      for (let i = 0; i < 256; i++) {
        const place = (i / 255) * (anchors.length - 1), a = Math.min(Math.floor(place), anchors.length - 2), f = place - a;
        for (let c = 0; c < 3; c++) table[3 * i + c] = anchors[a][c] * (1 - f) + anchors[a + 1][c] * f;
      }
      ramps.set(name, table);
    }
    return ramps.get(name);
  }
  const share = (layer, code) => Math.min(Math.max((code - layer.shown[0]) / (layer.shown[1] - layer.shown[0]), 0), 1);
  function paint(layer, data) {
    const [ny, nx] = layer.shape, image = new ImageData(nx, ny), table = ramp(layer.colours);
    for (let k = 0; k < data.length; k++) {
      if (!data[k]) continue;
      const i = 3 * Math.round(255 * share(layer, data[k]));
      image.data.set([table[i], table[i + 1], table[i + 2], 255], 4 * k);
    }
    const canvas = document.createElement("canvas");
    canvas.width = nx; canvas.height = ny;
    canvas.getContext("2d").putImageData(image, 0, 0);
    return canvas;
  }
  function paintRamp(layer) {
    const image = new ImageData(256, 1), table = ramp(layer.colours);
    for (let i = 0; i < 256; i++) image.data.set([table[3 * i], table[3 * i + 1], table[3 * i + 2], 255], 4 * i);
    $("#ramp").getContext("2d").putImageData(image, 0, 0);
    const [low, high] = layer.shown, labels = $("#ramp-labels");
    labels.textContent = "";
    for (let i = 0; i <= 4; i++) {
      const label = document.createElement("span");
      const under = i === 0 && (low > first(layer) || (layer.zero && layer.scale === "log") || beyond(layer, valueOf(layer, low))), over = i === 4 && high < 255;
      label.textContent = (under ? "≤ " : over ? "≥ " : "") + number(valueOf(layer, low + (i / 4) * (high - low)));
      label.style.left = 25 * i + "%";
      if (i === 1 || i === 3) label.className = "minor";
      labels.append(label);
    }
  }

  /* ---- maps: the view ---- */
  const map = $("#map");
  const shown = { layer: null, data: null, picture: null };
  const view = {
    scale: 1, dx: 0, dy: 0, fitted: true,
    section() { return index.sections[state.section]; },
    fit() {
      const [ny, nx] = this.section().shape, pad = 12;
      this.scale = Math.min((map.clientWidth - 2 * pad) / nx, (map.clientHeight - 2 * pad) / ny);
      this.dx = (map.clientWidth - nx * this.scale) / 2; this.dy = (map.clientHeight - ny * this.scale) / 2;
      this.fitted = true; this.least = this.scale; draw();
    },
    zoom(factor, x = map.clientWidth / 2, y = map.clientHeight / 2) {
      const scale = Math.min(Math.max(this.scale * factor, this.least), this.least * 40);
      if (scale <= this.least * 1.001) return this.fit();
      this.dx = x - (x - this.dx) * scale / this.scale; this.dy = y - (y - this.dy) * scale / this.scale;
      this.scale = scale; this.fitted = false; this.hold(); draw();
    },
    move(dx, dy) { if (this.fitted) return; this.dx += dx; this.dy += dy; this.hold(); draw(); },
    hold() {
      const [ny, nx] = this.section().shape, keep = (d, n, size) => Math.min(Math.max(d, Math.min(0, size - n) - size / 3), Math.max(0, size - n) + size / 3);
      this.dx = keep(this.dx, nx * this.scale, map.clientWidth); this.dy = keep(this.dy, ny * this.scale, map.clientHeight);
    },
  };
  function draw() {
    if (!map || !shown.picture) return;
    const ratio = Math.max(window.devicePixelRatio || 1, 2);
    map.width = Math.round(map.clientWidth * ratio); map.height = Math.round(map.clientHeight * ratio);
    map.classList.toggle("moved", !view.fitted);
    const pen = map.getContext("2d"), block = shown.layer.block;
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, map.clientWidth, map.clientHeight);
    pen.imageSmoothingEnabled = false;
    pen.drawImage(shown.picture, view.dx, view.dy, shown.picture.width * block * view.scale, shown.picture.height * block * view.scale);
    if (probe.x !== null) {
      const x = view.dx + (probe.x + 0.5) * view.scale, y = view.dy + (probe.y + 0.5) * view.scale;
      for (const [colour, width] of [["#000", 3.5], ["#fff", 1.5]]) {
        pen.strokeStyle = colour; pen.lineWidth = width; pen.beginPath(); pen.arc(x, y, 7, 0, 2 * Math.PI); pen.stroke();
      }
    }
    scaleBar();
  }
  function scaleBar() {
    const perPixel = view.section().spacing / view.scale, most = Math.min(150, map.clientWidth / 3) * perPixel;
    const power = Math.pow(10, Math.floor(Math.log10(most))), length = [5, 2, 1].find((s) => s * power <= most) * power;
    $("#scale-line").style.width = length / perPixel + "px";
    $("#scale-text").textContent = length >= 1000 ? length / 1000 + " mm" : length + " µm";
  }
  const beyond = (layer, value) => layer.least !== null && value <= layer.least;
  const shownValue = (layer, value) => (beyond(layer, value) ? `log10 ${number(layer.least)} or below` : withUnit(value, layer.unit));
  function read(x, y) {
    const section = view.section(), [ny, nx] = section.shape, layer = shown.layer, out = $("#reading");
    if (!layer || x < 0 || y < 0 || x >= nx || y >= ny) { probe.x = null; out.textContent = "Point at the map to read a value."; return draw(); }
    probe.x = x; probe.y = y;
    const code = shown.data[Math.floor(y / layer.block) * layer.shape[1] + Math.floor(x / layer.block)];
    const place = `x ${number(section.origin[0] + x * section.spacing)} µm, y ${number(section.origin[1] + y * section.spacing)} µm`;
    out.textContent = (code ? shownValue(layer, valueOf(layer, code)) : "no value here: outside the tissue, or nothing to measure") + " at " + place;
    draw();
  }
  function readAt(event) {
    const box = map.getBoundingClientRect();
    read(Math.floor((event.clientX - box.left - view.dx) / view.scale), Math.floor((event.clientY - box.top - view.dy) / view.scale));
  }
  function stepText(layer) {
    const blocks = layer.block > 1 ? ` Means over ${layer.block} × ${layer.block} voxels.` : "";
    const ends = `From ${shownValue(layer, layer.min)} to ${withUnit(layer.max, layer.unit)}.`;
    if (layer.max === layer.min) return `The same everywhere: ${shownValue(layer, layer.min)}.${blocks}`;
    const kept = layer.scale === "log"
      ? `Logarithmic colours; values are kept to ±${number(50 * (layer.step - 1))} %${layer.zero ? `, and below ${withUnit(layer.floor, layer.unit)} shown as zero` : ""}.`
      : `Values are kept to ±${number(layer.step / 2)}${layer.unit && layer.unit !== "log10" ? " " + layer.unit : ""}.`;
    return `${ends} ${kept}${blocks}`;
  }
  function currentLayer() {
    const layers = view.section()?.layers ?? [];
    return layers.find((l) => l.key === state.layer && (!l.candidate || l.candidate === state.candidate))
      ?? layers.find((l) => l.key === state.layer) ?? layers.find((l) => l.key === "survival") ?? layers[0];
  }
  async function showLayer() {
    if (!map || !view.section()) return;
    const layer = currentLayer();
    if (!layer) return;
    state.layer = layer.key;
    if (layer.candidate) state.candidate = layer.candidate;
    syncForm(layer);
    const data = await codes(layer);
    if (layer !== currentLayer()) return;
    Object.assign(shown, { layer, data, picture: paint(layer, data) });
    const name = layer.candidate ? `${layer.label}, ${layer.candidate}` : layer.label;
    $("#map-name").textContent = name + (layer.unit ? ` (${layer.unit})` : "");
    $("#map-note").textContent = layer.note;
    map.setAttribute("aria-label", `Map of ${name}. ${stepText(layer)}`);
    $("#map-step").textContent = stepText(layer);
    paintRamp(layer);
    if (view.fitted) view.fit();
    read(probe.x ?? -1, probe.y ?? -1);
    root.dataset.map = "ready";
  }
  function syncForm(layer) {
    const form = $$("form.layers")[state.section];
    const chooser = form.elements.candidate, name = state.candidate ?? chooser?.value;
    if (chooser && name) {
      chooser.value = name;
      for (const box of $$("[data-candidate]", form)) box.hidden = box.dataset.candidate !== name;
    }
    for (const input of $$("input[type=radio]", form)) {
      const owner = input.closest("[data-candidate]");
      input.checked = input.value === layer.key && (!owner || owner.dataset.candidate === layer.candidate);
    }
  }
  function listenToMap() {
    for (const form of $$("form.layers")) {
      form.addEventListener("submit", (e) => e.preventDefault());
      form.addEventListener("change", (e) => {
        if (e.target.name === "candidate") {
          state.candidate = e.target.value;
          if (!currentLayer().candidate) state.layer = "survival";
        } else {
          state.layer = e.target.value;
          state.candidate = e.target.closest("[data-candidate]")?.dataset.candidate ?? state.candidate;
        }
        showLayer(); writeHash();
      });
    }
    for (const b of $$("[data-zoom]")) {
      b.addEventListener("click", () => (b.dataset.zoom === "fit" ? view.fit() : view.zoom(b.dataset.zoom === "in" ? 1.6 : 1 / 1.6)));
    }
    map.addEventListener("wheel", (e) => {
      if (!e.ctrlKey && !e.metaKey) return;
      e.preventDefault();
      const box = map.getBoundingClientRect();
      view.zoom(Math.exp(-e.deltaY / 300), e.clientX - box.left, e.clientY - box.top);
    }, { passive: false });
    map.addEventListener("dblclick", (e) => {
      const box = map.getBoundingClientRect();
      view.zoom(2, e.clientX - box.left, e.clientY - box.top);
    });
    listenToPointers();
    map.addEventListener("keydown", (e) => {
      const step = e.shiftKey ? 10 : 1, moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
      const [ny, nx] = view.section().shape;
      if (moves[e.key]) {
        const [x, y] = probe.x === null ? [nx >> 1, ny >> 1] : [probe.x + step * moves[e.key][0], probe.y + step * moves[e.key][1]];
        read(Math.min(Math.max(x, 0), nx - 1), Math.min(Math.max(y, 0), ny - 1));
      } else if (e.key === "+" || e.key === "=") view.zoom(1.6);
      else if (e.key === "-") view.zoom(1 / 1.6);
      else if (e.key === "0") view.fit();
      else return;
      e.preventDefault();
    });
    new ResizeObserver(() => (view.fitted ? view.fit() : draw())).observe(map);
  }
  function listenToPointers() {
    const down = new Map();
    map.addEventListener("pointerdown", (e) => { down.set(e.pointerId, e); map.setPointerCapture(e.pointerId); readAt(e); });
    map.addEventListener("pointermove", (e) => {
      const before = down.get(e.pointerId);
      if (!before) return e.pointerType === "mouse" ? readAt(e) : undefined;
      const box = map.getBoundingClientRect();
      if (down.size === 2) {
        const other = [...down.values()].find((p) => p.pointerId !== e.pointerId);
        const apart = (p) => Math.hypot(p.clientX - other.clientX, p.clientY - other.clientY) || 1;
        view.zoom(apart(e) / apart(before), (e.clientX + other.clientX) / 2 - box.left, (e.clientY + other.clientY) / 2 - box.top);
      } else {
        view.move(e.clientX - before.clientX, e.clientY - before.clientY);
      }
      down.set(e.pointerId, e);
    });
    for (const end of ["pointerup", "pointercancel"]) map.addEventListener(end, (e) => down.delete(e.pointerId));
    map.addEventListener("touchstart", (e) => { if (e.touches.length > 1) e.preventDefault(); }, { passive: false });
  }

  /* ---- charts: values under the cursor, lines on and off ---- */
  function startChart(figure) {
    const chart = JSON.parse(figure.dataset.chart), area = $(".canvas", figure), line = $(".cursor", figure);
    const outputs = $$(".legend output", figure), lines = $$("polyline", figure);
    const at = (x) => 100 * (chart.log ? Math.log(Math.max(x, chart.low) / chart.low) / Math.log(chart.high / chart.low) : (x - chart.low) / (chart.high - chart.low));
    const inside = chart.x.map((x, i) => i).filter((i) => chart.x[i] >= chart.low && chart.x[i] <= chart.high);
    let current = -1;
    function show(i) {
      current = i;
      line.hidden = i < 0;
      outputs.forEach((o, k) => {
        const y = i < 0 ? null : chart.series[k].y[i];
        o.textContent = y === null ? "" : chart.yUnit ? y + " " + chart.yUnit : number(y);
      });
      if (i < 0) return;
      line.style.left = at(chart.x[i]) + "%";
      line.classList.toggle("left", at(chart.x[i]) > 60);
      line.dataset.text = withUnit(chart.x[i], chart.unit);
    }
    const nearest = (place) => inside.reduce((best, i) => (Math.abs(at(chart.x[i]) - place) < Math.abs(at(chart.x[best]) - place) ? i : best), inside[0]);
    const follow = (e) => { const box = area.getBoundingClientRect(); show(nearest(100 * (e.clientX - box.left) / box.width)); };
    area.addEventListener("pointermove", follow);
    area.addEventListener("pointerdown", follow);
    area.addEventListener("pointerleave", (e) => { if (e.pointerType === "mouse") show(-1); });
    area.addEventListener("blur", () => show(-1));
    area.addEventListener("keydown", (e) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[e.key];
      if (!step) return;
      const place = current < 0 ? inside.length >> 1 : inside.indexOf(current) + step;
      show(inside[Math.min(Math.max(place, 0), inside.length - 1)]);
      e.preventDefault();
    });
    $$(".legend button", figure).forEach((button, k) => {
      button.addEventListener("click", () => {
        const on = button.getAttribute("aria-pressed") !== "true";
        button.setAttribute("aria-pressed", String(on));
        lines[k].classList.toggle("off", !on);
      });
      for (const [name, strong] of [["pointerenter", true], ["pointerleave", false], ["focus", true], ["blur", false]]) {
        button.addEventListener(name, () => lines[k].classList.toggle("strong", strong));
      }
    });
  }

  /* ---- values: filter ---- */
  function startFilter() {
    const field = $("#value-filter");
    if (!field) return;
    const rows = $$("#value-table tbody tr"), buttons = $$("[data-evidence]", $(".filter"));
    let evidence = "";
    function apply() {
      const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
      let count = 0;
      for (const row of rows) {
        const match = (!evidence || row.dataset.evidence === evidence) && words.every((w) => row.dataset.text.includes(w));
        row.hidden = !match;
        count += match;
      }
      $("#value-count").textContent = `${count} of ${rows.length} shown`;
    }
    field.addEventListener("input", apply);
    for (const b of buttons) b.addEventListener("click", () => { evidence = b.dataset.evidence; press(buttons, (o) => o === b); apply(); });
    apply();
  }

  /* ---- print: everything that folds is open ---- */
  let folded = [];
  addEventListener("beforeprint", () => { folded = $$("details:not([open])"); for (const d of folded) d.open = true; draw(); });
  addEventListener("afterprint", () => { for (const d of folded) d.open = false; });

  /* ---- start ---- */
  function apply() {
    const asked = readHash();
    setMode(state.mode);
    setSection(state.section);
    return asked;
  }
  const asked = apply();
  $$(".chart").forEach(startChart);
  startFilter();
  if (map && index.sections.length) {
    if (typeof DecompressionStream === "undefined") {
      $("#viewer").hidden = true;
      $("#map-fallback").hidden = false;
      $("#map-fallback").textContent = "This browser is too old to unpack the maps (it lacks DecompressionStream). Any browser from 2023 on shows them; the numbers of this page do not depend on it.";
    } else {
      listenToMap();
      showLayer().then(() => { if (Number(asked?.get("zoom")) > 1) view.zoom(Number(asked.get("zoom"))); });
    }
  }
  addEventListener("hashchange", () => { if (location.hash.includes("=")) { apply(); showLayer(); } });
  if (asked?.get("at")) document.getElementById(asked.get("at"))?.scrollIntoView();
})();
