// The inspector of pairs, the filter of the gallery and the list of flagged pairs. Nothing is fetched.
(() => {
  "use strict";
  document.documentElement.classList.add("js");
  const $ = (selector, root = document) => root.querySelector(selector);
  const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
  const data = JSON.parse($("#pairs").textContent);
  const pairs = new Map(data.pairs.map((pair) => [pair.index, pair]));
  const cards = $$(".pair");
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  const name = (pair) => `${pair.key}:${pair.variant}`;

  // ---- flags: kept in this browser where it allows that
  const store = `degradekit-flags-${data.dataset_id}`;
  const flags = new Set();
  try { JSON.parse(localStorage.getItem(store) || "[]").forEach((index) => pairs.has(index) && flags.add(index)); } catch { /* not allowed */ }
  const showFlags = () => {
    cards.forEach((card) => card.classList.toggle("flagged", flags.has(+card.dataset.index)));
    $("#flagbar").hidden = flags.size === 0;
    $("#flagcount").textContent = `${flags.size} pair${flags.size === 1 ? "" : "s"} flagged`;
    try { localStorage.setItem(store, JSON.stringify([...flags])); } catch { /* not allowed */ }
  };
  const dropList = () => ({
    dataset_id: data.dataset_id,
    drop: [...flags].sort((a, b) => a - b).map((index) => {
      const { key, variant, checks } = pairs.get(index);
      return { index, key, variant, reason: checks.length ? `flagged: ${checks.join(", ")}` : "flagged" };
    }),
  });
  $("#save").addEventListener("click", () => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([JSON.stringify(dropList(), null, 1) + "\n"], { type: "application/json" }));
    link.download = "drop.json";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  });
  $("#unflag").addEventListener("click", () => { flags.clear(); showFlags(); });

  // ---- gallery: filter and sort
  const gallery = $(".gallery");
  const value = (pair, by) => {
    const [kind, ...rest] = by.split("/");
    const found = (pair[kind] || {})[rest.join("/")];
    return typeof found === "number" ? found : Infinity;
  };
  const arrange = () => {
    const check = $("#filter").value, text = $("#search").value.trim().toLowerCase(), by = $("#sort").value;
    let shown = 0;
    for (const card of cards) {
      const pair = pairs.get(+card.dataset.index);
      const right = check === "all" || (check === "flagged" ? flags.has(pair.index)
        : check === "covering" ? card.dataset.covering === "yes" : pair.checks.includes(check));
      card.hidden = !(right && name(pair).toLowerCase().includes(text));
      shown += card.hidden ? 0 : 1;
    }
    const order = [...cards];
    if (by) order.sort((a, b) => value(pairs.get(+a.dataset.index), by) - value(pairs.get(+b.dataset.index), by));
    gallery.append(...order);
    $("#shown").textContent = `${shown} of ${cards.length} shown`;
  };
  ["#filter", "#sort"].forEach((id) => $(id).addEventListener("change", arrange));
  $("#search").addEventListener("input", arrange);

  // ---- inspector
  const dialog = $("dialog"), stage = $(".stage"), left = $("#left"), right = $("#right"), slider = $("#slider");
  let now = null, images = null, mode = "side", zoom = 1, centre = [0.5, 0.5], blink = 0, showLq = false, split = 0.5;

  const picture = (src) => new Promise((done, fail) => {
    const image = new Image();
    image.onload = () => done(image);
    image.onerror = fail;
    image.src = src;
  });
  const draw = (canvas, image) => {
    const pen = canvas.getContext("2d"), side = canvas.width, part = 1 / zoom;
    pen.imageSmoothingEnabled = false;
    const x = Math.min(Math.max(centre[0] - part / 2, 0), 1 - part), y = Math.min(Math.max(centre[1] - part / 2, 0), 1 - part);
    const longest = Math.max(image.width, image.height), grow = side / longest / part;
    pen.clearRect(0, 0, side, side);
    pen.drawImage(image, -x * longest * grow, -y * longest * grow, image.width * grow, image.height * grow);
    return pen;
  };
  const difference = (canvas) => {
    const side = canvas.width, pen = draw(canvas, images[0]);
    const gt = pen.getImageData(0, 0, side, side);
    const lq = draw(canvas, images[1]).getImageData(0, 0, side, side);
    for (let i = 0; i < gt.data.length; i += 4) {
      for (let c = 0; c < 3; c += 1) gt.data[i + c] = Math.min(255, 8 * Math.abs(gt.data[i + c] - lq.data[i + c]));
    }
    pen.putImageData(gt, 0, 0);
  };
  const label = (canvas, text) => { $(".now", canvas.parentElement).textContent = text; };
  const paint = () => {
    if (!images) return;
    const single = mode !== "side";
    stage.classList.toggle("one", single);
    right.parentElement.hidden = single;
    slider.hidden = mode !== "swipe";
    $$("[data-mode]").forEach((button) => button.setAttribute("aria-pressed", String(button.dataset.mode === mode)));
    $("#zoom").textContent = `Zoom ×${zoom}`;
    if (mode === "side") {
      draw(left, images[0]); label(left, "GT");
      draw(right, images[1]); label(right, "LQ");
    } else if (mode === "blink") {
      draw(left, images[showLq ? 1 : 0]); label(left, showLq ? "LQ" : "GT");
    } else if (mode === "difference") {
      difference(left); label(left, "|GT − LQ| × 8");
    } else {
      const pen = draw(left, images[1]), side = left.width, edge = Math.round(split * side);
      const under = pen.getImageData(edge, 0, Math.max(side - edge, 1), side);
      draw(left, images[0]);
      if (edge < side) pen.putImageData(under, edge, 0);
      pen.fillStyle = "#ffb000"; pen.fillRect(edge - 1, 0, 2, side);
      label(left, "GT | LQ");
    }
  };
  const stopBlink = () => { clearInterval(blink); blink = 0; };
  const setMode = (next) => {
    stopBlink();
    mode = next;
    if (mode === "blink" && !calm.matches) blink = setInterval(() => { showLq = !showLq; paint(); }, 500);
    paint();
  };
  const toggleBlink = () => {
    if (mode !== "blink") { setMode("blink"); return; }
    if (calm.matches) { showLq = !showLq; paint(); return; }
    if (blink) { stopBlink(); } else { setMode("blink"); }
  };
  const rows = (table, values) => {
    const body = $("tbody", table);
    body.replaceChildren(...Object.entries(values).map(([key, found]) => {
      const row = document.createElement("tr"), head = document.createElement("th"), cell = document.createElement("td");
      head.scope = "row"; head.textContent = key; cell.textContent = String(found);
      row.append(head, cell);
      if (data.measures[key]) {
        const unit = document.createElement("td");
        unit.className = "keys";
        unit.textContent = data.measures[key];
        row.append(unit);
      }
      return row;
    }));
    table.hidden = body.children.length === 0;
  };
  const open = async (index, push = true) => {
    const pair = pairs.get(index);
    const card = cards.find((one) => +one.dataset.index === index);
    if (!pair || !card) return;
    now = pair;
    const found = $$("img", card);
    $("#pairname").textContent = name(pair);
    $("#pairtell").textContent = `index ${pair.index} · GT ${pair.size[0][1]}×${pair.size[0][0]} · LQ ${pair.size[1][1]}×${pair.size[1][0]} · crop at (${pair.crop[1]}, ${pair.crop[0]})` +
      (pair.checks.length ? ` · named by ${pair.checks.join(", ")}` : "");
    rows($("#recorded"), pair.recorded);
    rows($("#measured"), pair.measured);
    $("#flag").setAttribute("aria-pressed", String(flags.has(index)));
    if (push) history.replaceState(null, "", `#pair=${encodeURIComponent(name(pair))}`);
    if (!dialog.open) dialog.showModal();
    images = found.length === 2 ? await Promise.all(found.map((image) => picture(image.src))) : null;
    paint();
  };
  const visible = () => $$(".pair").filter((card) => !card.hidden).map((card) => +card.dataset.index);
  const step = (by) => {
    const list = visible(), at = list.indexOf(now.index);
    if (list.length) open(list[(at + by + list.length) % list.length]);
  };
  const flag = () => {
    if (flags.has(now.index)) { flags.delete(now.index); } else { flags.add(now.index); }
    $("#flag").setAttribute("aria-pressed", String(flags.has(now.index)));
    showFlags();
  };
  const setZoom = () => { zoom = zoom === 8 ? 1 : zoom * 2; paint(); };
  const actions = { previous: () => step(-1), next: () => step(1), zoom: setZoom, flag, close: () => dialog.close() };
  $$("[data-do]").forEach((button) => button.addEventListener("click", actions[button.dataset.do]));
  $$("[data-mode]").forEach((button) => button.addEventListener("click", () => setMode(button.dataset.mode)));
  slider.addEventListener("input", () => { split = slider.value / 100; paint(); });
  $$("[data-open]").forEach((link) => link.addEventListener("click", (event) => { event.preventDefault(); open(+link.dataset.open); }));
  dialog.addEventListener("close", () => { stopBlink(); history.replaceState(null, "", location.pathname + location.search); });
  dialog.addEventListener("keydown", (event) => {
    const key = event.key.toLowerCase(), keys = { arrowleft: actions.previous, arrowright: actions.next, " ": toggleBlink, b: toggleBlink, z: setZoom,
      d: () => setMode("difference"), s: () => setMode("side"), w: () => setMode("swipe"), f: flag };
    if (event.target === slider && key.startsWith("arrow")) return;
    if (keys[key] && !event.ctrlKey && !event.metaKey && !event.altKey) { event.preventDefault(); keys[key](); }
  });
  for (const canvas of [left, right]) {
    let from = null;
    canvas.addEventListener("pointerdown", (event) => { from = [event.clientX, event.clientY, ...centre]; canvas.setPointerCapture(event.pointerId); });
    canvas.addEventListener("pointermove", (event) => {
      if (!from) return;
      const wide = canvas.clientWidth * zoom, half = 0.5 / zoom, keep = (v) => Math.min(Math.max(v, half), 1 - half);
      centre = [keep(from[2] - (event.clientX - from[0]) / wide), keep(from[3] - (event.clientY - from[1]) / wide)];
      paint();
    });
    ["pointerup", "pointercancel"].forEach((kind) => canvas.addEventListener(kind, () => { from = null; }));
  }
  const follow = () => {
    const found = /^#pair=(.+)$/.exec(location.hash);
    if (!found) return;
    const wanted = decodeURIComponent(found[1]), pair = data.pairs.find((one) => name(one) === wanted);
    if (pair) open(pair.index, false);
  };
  addEventListener("hashchange", follow);
  showFlags();
  arrange();
  follow();
})();
