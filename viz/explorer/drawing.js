// Drawing: the chain from its tiles, the map, the wires of a row and the marks on histograms.
// Everything was laid out beforehand; here it is copied, lit and faded.

// A picture's items, each in a group of its own; title, style and ground come before them.
const itemsOf = (svg) => [...svg.children].filter(({ tagName }) => tagName === "g");

// A copy of a tile with its words; items carry the lane that they belong to.
const copyTile = (items, chain, [tile, words], name) => {
  const [width, first, roles, above, below] = chain.tiles[tile], height = above + below;
  const svg = drawn("svg", { width, height, viewBox: `0 ${chain.axis - above} ${width} ${height}`, "aria-hidden": "true" });
  svg.style.verticalAlign = `${-below}px`; // axes, the baselines of tiles, meet
  roles.forEach(([lane, word], i) => {
    const item = items[first + i].cloneNode(true);
    if (lane >= 0) item.dataset.lane = lane;
    item.classList.toggle("words", Boolean(item.querySelector("text")));
    if (word >= 0) {
      const label = item.querySelector("text"), [place, formula] = words[word];
      rewrite(label, runsOf(name(place)));
      if (formula >= 0) typeset(label, formula);
    }
    svg.append(item);
  });
  return svg;
};

// Set a formula in glyphs, in place of the text that says it.
const typeset = (label, place) => {
  const width = data.formulas.set[place][0] / 1000, at = (name) => Number(label.getAttribute(name)), size = at("font-size");
  const left = at("x") - ({ middle: 0.5, end: 1 }[label.getAttribute("text-anchor")] ?? 0) * width * size;
  label.replaceWith(drawn("g", { class: label.getAttribute("class"), transform: `translate(${left} ${at("y")})scale(${size / 1000})` },
    drawn("title", {}, label.textContent), ...outlinesOf(place).map((path) => path.cloneNode())));
};

// A formula's glyphs, a path for each row of them.
const outlinesOf = remembered((place) => data.formulas.set[place].slice(1).map(([x, y, size, ...glyphs]) => {
  let at = 0;
  const d = glyphs.map((glyph) => {
    const [advance, outline] = data.formulas.glyphs[glyph], from = at;
    at += advance;
    return outline.replace(/M(-?\d+)/g, (_, start) => `M${Number(start) + from}`);
  });
  return drawn("path", { d: d.join(""), transform: `translate(${x} ${y})scale(${size})` });
}));

// Fade or hide every lane but one.
const light = (svg, lane, other) => svg.querySelectorAll("[data-lane]").forEach((item) =>
  item.classList.toggle(other, Number(item.dataset.lane) !== lane));

// The wire of a path, the gradient pointing left: red on top past weights, dashed below through
// them, a square for each weight layer that there is room for.  Equal stretches in a row are drawn
// in one.
const wireOf = (stretches) => {
  const wide = 400 / stretches.length, gap = Math.min(3, wide / 8);
  const svg = drawn("svg", { viewBox: "0 0 400 18", preserveAspectRatio: "none", "aria-hidden": "true" });
  for (let i = 0, j; i < stretches.length; i = j) {
    for (j = i + 1; j < stretches.length && wide < 10 && !stretches[j] === !stretches[i];) j++;
    const a = i * wide + gap, b = j * wide - gap, weights = stretches[i];
    svg.append(drawn("path", { class: weights ? "weight" : "identity", d: `M${b} ${weights ? 13 : 5}H${a}` }));
    const squares = wide > 10 ? Math.min(weights, Math.max(1, Math.floor((b - a) / 12))) : 0;
    for (let k = 0; k < squares; k++) svg.append(drawn("rect", { class: "square", x: a + ((k + 0.5) / squares) * (b - a) - 4, y: 9, width: 8, height: 8 }));
  }
  return svg;
};

// Histograms: mark the degree that paths are kept to, and tell which one is pointed at.
const readyBars = (svg, { start, step, height }, degrees, pick) => {
  const half = Math.max(4, Math.min(12, step / 2));
  const mark = drawn("rect", { class: "pick", y: 34, width: 2 * half, height: height - 60 });
  mark.style.display = "none";
  svg.querySelector("rect").after(mark); // above the ground
  svg.addEventListener("click", (event) => {
    const x = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse()).x;
    const at = (x - start) / step;
    pick(degrees().reduce((a, b) => (Math.abs(a - at) <= Math.abs(b - at) ? a : b)));
  });
  return (degree) => {
    mark.style.display = degree === null ? "none" : "";
    if (degree !== null) mark.setAttribute("x", start + step * degree - half);
  };
};

// The map: light a path's nodes and edges, and lay a lid on each folded scope.
const readyMap = (svg, { rows, scopes }, pick, point) => {
  const items = itemsOf(svg).map((item, i) => {
    const [kind, what, ...more] = rows[i], label = item.querySelector("text");
    const [inside, formula] = kind === "scope" ? more : [0, ...more];
    item.dataset[kind] = what;
    item.classList.toggle("words", Boolean(label));
    if (formula !== undefined) typeset(label, formula);
    return { item, kind, what, inside };
  });
  const lids = items.flatMap(({ item, kind, what, inside }) => {
    const box = kind === "scope" && item.querySelector("rect");
    return box ? [{ scope: what, lid: lidOf(box, what, inside) }] : [];
  });
  svg.append(...lids.map(({ lid }) => lid));
  const told = (event) => {
    const { node, edge, scope } = event.target.closest("[data-node],[data-edge],[data-scope]")?.dataset ?? {};
    return node !== undefined ? ["node", Number(node)] : edge !== undefined ? ["edge", Number(edge)] : ["scope", scope];
  };
  svg.addEventListener("click", (event) => pick(...told(event)));
  svg.addEventListener("pointerover", (event) => point(...told(event)));
  svg.addEventListener("pointerleave", () => point());
  return (nodes, edges, endsOf, shut) => {
    const under = (scope) => [...shut].some((outer) => scope !== outer && lies(scope, outer));
    const hides = (node) => [...shut].some((scope) => lies(scopes[node] ?? "", scope));
    const lit = [...nodes].map((node) => scopes[node] ?? "");
    items.forEach(({ item, kind, what }) => {
      item.classList.toggle("off", (kind === "node" && !nodes.has(what)) || (kind === "edge" && !edges.has(what)));
      const within = kind === "node" ? [what] : kind === "edge" ? endsOf(what) : [];
      item.classList.toggle("shut", (kind === "scope" && under(what)) || (within.length > 0 && within.every(hides)));
    });
    lids.forEach(({ lid, scope }) => {
      lid.classList.toggle("shut", !shut.has(scope) || under(scope));
      lid.classList.toggle("dim", !lit.some((own) => lies(own, scope)));
    });
    return new Map(items.filter(({ kind, what }) => kind === "node" && nodes.has(what)).map(({ item, what }) => [what, item.getBBox()]));
  };
};

const lies = (scope, outer) => `${scope}/`.startsWith(`${outer}/`);

const lidOf = (box, scope, nodes) => {
  const at = (name) => Number(box.getAttribute(name)), x = at("x") + at("width") / 2, y = at("y") + at("height") / 2;
  const label = scope.slice(scope.lastIndexOf("/") + 1), most = Math.max(3, Math.floor(at("width") / 8));
  const words = label.length > most ? `${label.slice(0, most - 1)}…` : label;
  const lid = drawn("g", { class: "lid shut" }, box.cloneNode(true),
    drawn("text", { x, y: y - 1, "text-anchor": "middle" }, words),
    drawn("text", { x, y: y + 14, "text-anchor": "middle", class: "small" }, plural(nodes, "node")));
  lid.dataset.scope = scope;
  return lid;
};
