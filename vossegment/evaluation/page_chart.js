"use strict";
// J and F of a sequence's objects over its frames, drawn as wide as there is room. Uses page.js's helpers.

function chart(sequence) {
  const frames = [...new Set(sequence.objects.flatMap((item) => item.indices))].sort((a, b) => a - b);
  const [first, last] = [frames[0], frames.at(-1)];
  const label = `J and F of ${sequence.name} in frames ${first} to ${last}; arrow keys tell the values`;
  const box = el("div", { class: "chart", tabindex: "0", role: "img", "aria-label": label });
  const legend = el("div", { class: "legend", "aria-live": "polite" });
  const places = sequence.objects.map((item) => new Map(item.indices.map((frame, k) => [frame, k])));
  let at = null; // the frame under the cursor, as a place in `frames`
  let x = () => 0;
  let cursor = null;
  let drawn = 0; // the width it was last drawn for

  function tell() {
    const chips = sequence.objects.map(({ id, object, group }, n) => {
      const of = (measure) => (at === null ? measure?.mean : measure?.frames?.[places[n].get(frames[at])]);
      const value = (name) => show(of(object[name])).padStart(4, "\u2007"); // as wide as a digit: lines stay as they are
      const text = `object ${id}${group ? `, ${group}` : ""}: J ${value("J")} F ${value("F")}`;
      return el("span", series(id), el("i"), text);
    });
    legend.replaceChildren(el("span", { class: "when" }, at === null ? "mean" : `frame ${frames[at]}`), ...chips);
    cursor?.setAttribute("d", at === null ? "" : `M${x(frames[at])} 8V166`);
  }

  function draw() {
    const width = box.clientWidth;
    if (!width || width === drawn) return; // folded away, or as it was
    drawn = width;
    x = (frame) => 34 + ((frame - first) / (last - first || 1)) * (width - 46);
    const y = (value) => 8 + (1 - value) * 158;
    const made = svg("svg", { width, height: 190, viewBox: `0 0 ${width} 190`, "aria-hidden": "true" });
    for (const level of [0, 0.5, 1]) {
      made.append(svg("path", { class: "grid", d: `M34 ${y(level)}H${width - 12}` }),
        svg("text", { x: 28, y: y(level) + 4, "text-anchor": "end" }, data.percent ? String(100 * level) : String(level)));
    }
    for (const [k, frame] of ticks(first, last, width / 70).entries()) {
      made.append(svg("text", { x: x(frame), y: 184, "text-anchor": "middle" }, k ? String(frame) : `frame ${frame}`));
    }
    for (const { id, object, indices } of sequence.objects) {
      const group = svg("g", series(id));
      for (const name of ["F", "J"]) group.append(...line(name.toLowerCase(), object[name]?.frames || [], indices, x, y));
      made.append(group);
    }
    for (const moment of data.moments) {
      if (moment.sequence === sequence.name && known(moment.region)) {
        made.append(svg("circle", { class: "moment", cx: x(moment.index), cy: y(moment.region), r: 5 }));
      }
    }
    cursor = svg("path", { class: "cursor", d: "" });
    made.append(cursor);
    box.replaceChildren(made);
    tell();
  }

  function move(to) {
    at = to === null ? null : Math.max(0, Math.min(frames.length - 1, to));
    tell();
  }
  const point = (event) => {
    const place = event.clientX - box.getBoundingClientRect().left;
    move(frames.reduce((best, frame, k) => (Math.abs(x(frame) - place) < Math.abs(x(frames[best]) - place) ? k : best), 0));
  };
  box.addEventListener("pointermove", point);
  box.addEventListener("pointerdown", point);
  box.addEventListener("pointerleave", (event) => { if (event.pointerType === "mouse") move(null); });
  box.addEventListener("blur", () => move(null));
  box.addEventListener("keydown", (event) => {
    const to = { ArrowLeft: (at ?? frames.length) - 1, ArrowRight: (at ?? -1) + 1, Home: 0, End: frames.length - 1, Escape: null };
    if (!(event.key in to)) return;
    event.preventDefault();
    move(to[event.key]);
  });
  // Also fires when a folded chart is opened: until then it costs nothing.
  new ResizeObserver(draw).observe(box);
  return { parts: [box, legend], draw };
}

function series(id) {
  const color = data.colors[id];
  return { class: "series", style: `--light:${color.light};--dark:${color.dark}` };
}

// A path of the known values, and a dot for each that has no neighbour to be joined to.
function line(kind, values, indices, x, y) {
  const [made, runs] = [[], [[]]];
  values.forEach((value, k) => (known(value) ? runs.at(-1).push([x(indices[k]), y(value)]) : runs.push([])));
  for (const run of runs) {
    if (run.length === 1) made.push(svg("circle", { class: kind, cx: run[0][0], cy: run[0][1], r: kind === "j" ? 3.5 : 2.5 }));
    if (run.length > 1) made.push(svg("path", { class: kind, d: `M${run.map((p) => p.map((c) => c.toFixed(1)).join(" ")).join("L")}` }));
  }
  return made;
}

function ticks(first, last, most) {
  const span = Math.max(1, last - first);
  const step = [1, 2, 5, 10, 20, 25, 50, 100, 200, 250, 500, 1000, 2000, 5000].find((s) => span / s <= most) || span;
  const found = [];
  for (let frame = Math.ceil(first / step) * step; frame <= last; frame += step) found.push(frame);
  return found;
}
