// The word lattice of an utterance, drawn: left to right in its order, thick what is probable.

const SVG = "http://www.w3.org/2000/svg";
const element = document.getElementById("lattice");
const STEP = 34, LETTER = 8;
const LEAST = 0.01;

export function draw(lattice) {
  const arcs = posteriors(lattice).filter((arc) => arc.share >= LEAST);
  if (!arcs.length) return;
  const best = bestPath(arcs, lattice);
  const rows = layout(arcs, best);
  const places = columns(arcs);
  const width = Math.max(...places.values()) + 24;
  const used = [...rows.values()];
  const up = Math.min(...used, 0), down = Math.max(...used, 0);
  const height = (down - up) * STEP + 70;
  const y = (row) => 38 + (row - up) * STEP;
  const svg = make("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img" });
  svg.append(make("title", {}, "Words that may have been said; the thicker, the more probable"));
  const base = y(0);
  for (const arc of arcs) {
    const from = places.get(arc.from), to = places.get(arc.to), level = y(rows.get(arc));
    const middle = (from + to) / 2;
    // a quadratic curve reaches half of the way to its handle
    const path = level === base ? `M${from} ${base}L${to} ${base}` : `M${from} ${base}Q${middle} ${2 * level - base} ${to} ${base}`;
    svg.append(make("path", { d: path, class: best.has(arc) ? "arc best" : "arc", "stroke-width": 1 + 3 * arc.share }));
    const label = make("text", { x: middle, y: level - 6, class: best.has(arc) ? "" : "faint" }, arc.word);
    label.append(make("title", {}, `${arc.word}: ${(100 * arc.share).toFixed(0)} %, ${arc.start.toFixed(2)} to ${arc.end.toFixed(2)} s`));
    svg.append(label);
  }
  const nodes = new Set(arcs.flatMap((arc) => [arc.from, arc.to]));
  for (const node of nodes) svg.append(make("circle", { cx: places.get(node), cy: base, r: 4, class: "node" }));
  element.replaceChildren(svg);
}

/** Each arc with its probability among all paths (forward and backward sums). Sources come before targets. */
function posteriors(lattice) {
  const add = (a, b) => (a === -Infinity ? b : b === -Infinity ? a : Math.max(a, b) + Math.log1p(Math.exp(-Math.abs(a - b))));
  const score = (one) => one.acoustic + one.bias + one.language;
  const forward = new Array(lattice.nodes).fill(-Infinity), backward = new Array(lattice.nodes).fill(-Infinity);
  forward[0] = 0;
  for (const arc of lattice.arcs) forward[arc.to] = add(forward[arc.to], forward[arc.from] + score(arc));
  for (const end of lattice.ends) backward[end.node] = add(backward[end.node], score(end));
  for (const arc of [...lattice.arcs].reverse()) backward[arc.from] = add(backward[arc.from], backward[arc.to] + score(arc));
  return lattice.arcs.map((arc) => ({ ...arc, share: Math.exp(forward[arc.from] + score(arc) + backward[arc.to] - backward[0]) }));
}

/** The arcs of the most probable way, arc by arc. */
function bestPath(arcs) {
  const best = new Set();
  let node = Math.min(...arcs.map((arc) => arc.from));
  for (;;) {
    const leaving = arcs.filter((arc) => arc.from === node);
    if (!leaving.length) return best;
    const next = leaving.reduce((a, b) => (b.share > a.share ? b : a));
    best.add(next);
    node = next.to;
  }
}

/** A row for each arc: the best way in the middle, others above and below where there is room. */
function layout(arcs, best) {
  const order = topological(arcs);
  const rows = new Map(), taken = [];
  for (const arc of [...arcs].sort((a, b) => b.share - a.share)) {
    if (best.has(arc)) { rows.set(arc, 0); continue; }
    const from = order.get(arc.from), to = order.get(arc.to);
    for (let step = 1; ; step++) {
      const row = step % 2 ? -(step + 1) / 2 : step / 2;
      if (taken.every((other) => other.row !== row || other.to <= from || other.from >= to)) {
        taken.push({ row, from, to });
        rows.set(arc, row);
        break;
      }
    }
  }
  return rows;
}

function topological(arcs) {
  return new Map([...new Set(arcs.flatMap((arc) => [arc.from, arc.to]))].sort((a, b) => a - b).map((node, index) => [node, index]));
}

/** Where each node stands: wide enough for the words that end in it. */
function columns(arcs) {
  const nodes = [...topological(arcs).keys()];
  const places = new Map();
  for (const node of nodes) {
    const entering = arcs.filter((arc) => arc.to === node && places.has(arc.from));
    const wanted = entering.map((arc) => places.get(arc.from) + 26 + LETTER * arc.word.length);
    const before = places.size ? Math.max(...places.values()) + 14 : 16;
    places.set(node, places.size ? Math.max(before, ...wanted) : before);
  }
  return places;
}

function make(name, attributes, text) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) if (value !== "") made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}
