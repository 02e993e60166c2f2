"use strict";
// Everything is drawn from the report in #data. Text enters as text only (append, setAttribute), never as markup.

const data = JSON.parse(document.getElementById("data").textContent);
const $ = (id) => document.getElementById(id);
const SAYS = {
  "J&F": "mean of J and F", J: "region similarity", F: "contour accuracy", EAO: "expected average overlap",
  A: "accuracy", R: "failures per 100 frames", O: "O, mean of the four",
  J_S: "J, seen", J_U: "J, unseen", F_S: "F, seen", F_U: "F, unseen",
};
const OPEN = 12; // so many sequences at most are all open at first, else the first FIRST of them
const FIRST = 4;

function el(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

function svg(tag, attributes = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

const known = (value) => typeof value === "number";
const plain = (name) => name.replaceAll("_", " ");
const share = (value) => `${Math.max(0, Math.min(1, value || 0)) * 100}%`;
const count = (number, noun) => `${number} ${noun}${number === 1 ? "" : "s"}`;

function show(value) {
  if (!known(value)) return "–";
  if (!data.percent) return Number.isInteger(value) ? String(value) : value.toFixed(3);
  return (100 * value).toFixed(1).replace(/^-0\.0$/, "0.0");
}

// A number of a report's "global": a measure's mean, or the number itself.
const valueOf = (part, name) => (known(part?.[name]) ? part[name] : part?.[name]?.mean);
const middle = (part) => (known(part.J) && known(part.F) ? (part.J + part.F) / 2 : part.J);

const baselines = Object.entries(data.baselines || {});
const sequences = Object.entries(data.sequences).map(([name, part], place) => ({
  name, place, part,
  J: part.J?.mean, F: part.F?.mean,
  baseline: valueOf(data.baselines?.static_mask?.sequences?.[name], "J"),
  objects: Object.entries(part.objects || {}).map(([id, object]) => ({
    id, object, group: object.group,
    indices: object.indices || (object.J?.frames || []).map((_, k) => k + 1),
  })),
}));
const objects = sequences.flatMap((sequence) => sequence.objects);

function header() {
  const model = data.model;
  document.title = `${data.benchmark}: ${model ? model.name : data.results || "report"}`;
  $("title").append(data.benchmark);
  const frames = objects.reduce((sum, item) => sum + item.indices.length, 0);
  const facts = model
    ? [model.name, model.weights, model.start && `from the first ${model.start}`]
    : [`masks in ${data.results}`];
  facts.push(count(sequences.length, "sequence"));
  if (objects.length) facts.push(count(objects.length, "object"), `${frames} masks scored`);
  if (known(data.speed?.end_to_end_fps)) facts.push(`${data.speed.end_to_end_fps.toFixed(1)} frames/s on ${data.speed.device}`);
  const told = facts.filter(Boolean);
  // Each with its dot in one piece: a line does not begin with a dot.
  for (const [k, fact] of told.entries()) {
    const piece = el("span", fact.length < 40 ? { class: "piece" } : {}, k < told.length - 1 ? `${fact} ·` : fact);
    $("subtitle").append(piece, " ");
  }
  const order = ["J&F", "J", "F"];
  const rank = (name) => (order.includes(name) ? order.indexOf(name) : order.length);
  const names = Object.keys(data.global).sort((a, b) => rank(a) - rank(b));
  $("numbers").append(...names.map(number));
  for (const [name, value] of Object.entries(data.summary || {})) {
    $("means").append(el("div", {}, el("dt", {}, SAYS[name] || plain(name)), el("dd", {}, show(value))));
  }
}

function number(name) {
  const value = valueOf(data.global, name);
  const { recall, decay } = data.global[name] || {};
  const below = baselines.map(([key, part]) => [plain(key), valueOf(part, name)]).filter(([, other]) => known(other));
  const tile = el("div", { class: `number of-${name.toLowerCase()}` },
    el("span", { class: "name" }, name), " ", el("span", { class: "says" }, SAYS[name] || ""),
    el("b", {}, show(value)));
  if (name !== "R" && [value, ...below.map(([, other]) => other)].every((v) => known(v) && v >= 0 && v <= 1)) {
    const track = el("div", { class: "track", "aria-hidden": "true" }, el("span", { style: `width:${share(value)}` }));
    for (const [key, other] of below) track.append(el("i", { style: `left:${share(other)}`, title: key }));
    tile.append(track);
  }
  const rest = [known(recall) && `recall ${show(recall)}`, known(decay) && `decay ${show(decay)}`].filter(Boolean);
  for (const line of [below.map(([key, other]) => `${key} ${show(other)}`), rest]) {
    // A name and its number stay on one line.
    const pieces = line.map((piece) => piece.replaceAll(" ", "\u00a0"));
    if (line.length) tile.append(el("div", { class: "below" }, pieces.join(" · ")));
  }
  return tile;
}

function bar(kind, value, baseline) {
  const made = el("div", { class: `bar of-${kind}` }, el("span", { style: `width:${share(value)}` }));
  if (known(baseline)) made.append(el("i", { style: `left:${share(baseline)}` }));
  return made;
}

function bars() {
  if (!sequences.some((sequence) => known(sequence.J))) return void $("bars-section").remove();
  const key = [["of-j", "J, region"], ["of-f", "F, contour"]];
  if (sequences.some((sequence) => known(sequence.baseline))) key.push(["tick", "J of the first mask held still"]);
  $("bars-key").append(...key.map(([kind, text]) => el("span", {}, el("i", { class: kind }), text)));
  $("bars").classList.toggle("many", sequences.length > 24);
  for (const sequence of sequences) {
    const link = el("a", { href: `#sequence-${sequence.place}` }, sequence.name);
    link.addEventListener("click", () => { sequence.details.open = true; });
    sequence.row = el("li", {}, link,
      el("div", { "aria-hidden": "true" }, bar("j", sequence.J, sequence.baseline), bar("f", sequence.F)),
      el("div", { class: "values" }, ...[["J", sequence.J], ["F", sequence.F]].map(
        ([name, value]) => el("div", { "aria-label": `${name} ${show(value)}` }, show(value)))));
  }
}

function moments() {
  if (!data.moments.length) {
    $("moments-section").remove();
    $("moment-key").remove();
    return;
  }
  const said = { frame: "frame", truth: "truth", ours: data.model ? "ours" : "result" };
  for (const moment of data.moments) {
    const sequence = sequences.find((item) => item.name === moment.sequence);
    const link = sequence ? el("a", { href: `#sequence-${sequence.place}` }, moment.sequence) : moment.sequence;
    if (sequence) link.addEventListener("click", () => { sequence.details.open = true; });
    const [width, height] = moment.size;
    const pictures = Object.entries(moment.pictures).map(([name, source]) => {
      const alt = `${said[name]}: ${moment.sequence}, frame ${moment.index}`;
      const note = name === "ours" && moment.empty ? `${said[name]}: object ${moment.id} not found` : said[name];
      return el("div", {}, el("img", { src: source, alt, width, height, loading: "lazy" }), note);
    });
    $("moments").append(el("figure", {},
      el("figcaption", {}, el("b", {}, link), ` frame ${moment.index} `,
        el("span", {}, `object ${moment.id}, J ${show(moment.region)}`)),
      el("div", { class: "pictures" }, ...pictures)));
  }
}

function time() {
  const drawn = sequences.filter((sequence) => sequence.objects.some((item) => item.indices.length));
  if (!drawn.length) return void $("time-section").remove();
  for (const sequence of drawn) {
    const about = sequence.objects.length > 1 ? `${sequence.objects.length} objects, ` : "";
    sequence.details = el("details", { id: `sequence-${sequence.place}` },
      el("summary", {}, el("b", {}, sequence.name), el("span", {}, `${about}J ${show(sequence.J)}, F ${show(sequence.F)}`)));
    const { parts, draw } = chart(sequence);
    sequence.details.append(...parts);
    sequence.draw = draw;
  }
  const ranked = inOrder("worst").filter((sequence) => sequence.details);
  for (const sequence of drawn.length > OPEN ? ranked.slice(0, FIRST) : ranked) sequence.details.open = true;
  const folded = () => drawn.some((sequence) => !sequence.details.open);
  const said = () => { $("open-all").textContent = folded() ? "Open all" : "Close all"; };
  said();
  $("time").addEventListener("toggle", said, true); // of the details within; it does not bubble
  $("open-all").addEventListener("click", () => {
    const open = folded();
    for (const sequence of drawn) sequence.details.open = open;
  });
}

function inOrder(order) {
  const low = (sequence) => (known(middle(sequence)) ? middle(sequence) : Infinity);
  const by = {
    worst: (a, b) => low(a) - low(b) || a.place - b.place,
    best: (a, b) => middle(b) - middle(a) || a.place - b.place,
    name: (a, b) => a.name.localeCompare(b.name),
    listed: (a, b) => a.place - b.place,
  };
  return [...sequences].sort(by[order]);
}

function arrange() {
  const ranked = inOrder($("order")?.value || "listed");
  $("bars")?.append(...ranked.map((sequence) => sequence.row).filter(Boolean));
  $("time")?.append(...ranked.map((sequence) => sequence.details).filter(Boolean));
}

function table() {
  const measures = ["J", "F"].flatMap((name) => ["mean", "recall", "decay"].map((field) => [`${name} ${field}`, name, field]));
  const flat = [...new Set(sequences.flatMap(({ part }) => Object.keys(part).filter((key) => known(part[key]))))];
  const grouped = objects.some((item) => item.group);
  const heads = ["sequence", "object", ...(grouped ? ["group"] : []), "frames", ...measures.map(([head]) => head)];
  const cellsOf = (part) => measures.map(([, name, field]) => part[name]?.[field]);
  let rows = sequences.flatMap(({ name, objects }) => objects.map((item) =>
    [name, Number(item.id), ...(grouped ? [item.group || ""] : []), item.indices.length, ...cellsOf(item.object)]));
  const footers = [["all", "", ...(grouped ? [""] : []), "", ...cellsOf(data.global)],
    ...baselines.map(([name, part]) => [plain(name), "", ...(grouped ? [""] : []), "", ...cellsOf(part)])];
  const whole = new Set(heads.slice(0, heads.length - measures.length));
  if (!rows.length) { // no objects: a row a sequence of whatever numbers it has
    heads.splice(0, heads.length, "sequence", ...flat);
    rows = sequences.map(({ name, part }) => [name, ...flat.map((key) => part[key])]);
    footers.length = 0;
  }
  const cell = (value, k) => el("td", k ? {} : { title: String(value) }, typeof value === "string" || (known(value) && whole.has(heads[k])) ? String(value) : show(value));
  const line = (values) => el("tr", {}, ...values.map(cell));
  const made = rows.map((values) => ({ values, row: line(values) }));
  const body = el("tbody", {}, ...made.map(({ row }) => row));
  const titles = heads.map((head, k) => {
    const button = el("button", { type: "button" }, head);
    const title = el("th", { scope: "col" }, button);
    button.addEventListener("click", () => {
      const down = title.getAttribute("aria-sort") === "ascending";
      for (const other of titles) other.removeAttribute("aria-sort");
      title.setAttribute("aria-sort", down ? "descending" : "ascending");
      made.sort((a, b) => compare(a.values[k], b.values[k], down ? -1 : 1));
      body.append(...made.map(({ row }) => row));
    });
    return title;
  });
  const foot = footers.map(line);
  for (const row of foot.slice(1)) row.classList.add("below");
  $("table").append(el("thead", {}, el("tr", {}, ...titles)), body, el("tfoot", {}, ...foot));
}

// What is not known comes last either way.
function compare(a, b, sign) {
  if (typeof a === "string" && typeof b === "string") return sign * a.localeCompare(b);
  return known(a) && known(b) ? sign * (a - b) : Number(known(b)) - Number(known(a));
}

function settings() {
  const { speed, model } = data;
  const rate = (value) => (known(value) ? `${value.toFixed(1)} frames/s` : null);
  const entries = [["rule", data.rule], ["masks", data.results], ...Object.entries(model || {}), ...Object.entries(data.settings || {})];
  if (speed) {
    entries.push(["speed, decoding to mask", rate(speed.end_to_end_fps)], ["speed, crops and network", rate(speed.network_fps)],
      ["measured on", `${speed.device}, ${count(speed.threads, "thread")}`]);
  }
  for (const [name, value] of entries) {
    if (value === null || value === undefined) continue;
    const text = typeof value === "object" ? JSON.stringify(value) : String(value);
    $("settings").append(el("dt", {}, name === "sha256" ? "weights' sha256" : plain(name)), el("dd", {}, text));
  }
  $("notes").append(...(data.notes || []).map((note) => el("li", {}, String(note))));
}

header();
bars();
moments();
time();
arrange();
table();
settings();
$("order")?.addEventListener("change", arrange);
// Drawn at once, when all has its place: an observer may be heard only after a reader, or a printer, has looked.
for (const sequence of sequences) if (sequence.details?.open) sequence.draw();
