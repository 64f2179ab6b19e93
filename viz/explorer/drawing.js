// Drawing: the chain from its tiles, the map, the wires of a row and the marks on histograms.
// Everything was laid out beforehand; here it is copied, lit and faded.

const HEAD = 4; // title, description, style and ground come before a picture's items

const itemsOf = (svg) => [...svg.children].slice(HEAD);

// A copy of a tile with its words; items carry the lane that they belong to.
const copyTile = (items, chain, [tile, words, symbols], name) => {
  const [width, first, roles] = chain.tiles[tile];
  const svg = drawn("svg", { width, height: chain.height, viewBox: `0 0 ${width} ${chain.height}`, "aria-hidden": "true" });
  roles.forEach(([lane, word], i) => {
    const item = items[first + i].cloneNode(true);
    if (lane >= 0) item.dataset.lane = lane;
    if (word >= 0) {
      item.querySelector("title")?.remove();
      rewrite(item.querySelector("text"), runsOf(name(words[word])));
    }
    svg.append(item);
  });
  return svg;
};

// Fade or hide every lane but one.
const light = (svg, lane, other) => svg.querySelectorAll("[data-lane]").forEach((item) =>
  item.classList.toggle(other, Number(item.dataset.lane) !== lane));

// The wire of a path: one stretch for each block, the gradient pointing left.
const wireOf = (stretches) => {
  const wide = 400 / stretches.length;
  const svg = drawn("svg", { viewBox: "0 0 400 18", preserveAspectRatio: "none", "aria-hidden": "true" });
  stretches.forEach((weights, i) => {
    const [a, b] = [i * wide + Math.min(3, wide / 8), (i + 1) * wide - Math.min(3, wide / 8)];
    const y = weights ? 13 : 5;
    svg.append(drawn("path", { class: weights ? "weight" : "identity", d: `M${b} ${y}H${a}` }));
    if (weights && wide > 10) svg.append(drawn("rect", { class: "square", x: (a + b) / 2 - 4, y: 9, width: 8, height: 8 }));
  });
  return svg;
};

// Histograms: mark the degree that paths are kept to, and tell which one is pointed at.
const readyBars = (svg, { start, step, height }, degrees, pick) => {
  const half = Math.max(4, Math.min(12, step / 2));
  const mark = drawn("rect", { class: "pick", y: 34, width: 2 * half, height: height - 60 });
  mark.style.display = "none";
  itemsOf(svg)[0].before(mark);
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

// The map: light a path's nodes and edges, hide what a folded scope holds.
const readyMap = (svg, { rows, scopes }, take, toggle) => {
  const items = itemsOf(svg).map((item, i) => {
    const [kind, what] = rows[i];
    item.dataset[kind] = what;
    return { item, kind, what };
  });
  svg.addEventListener("click", (event) => {
    const { node, edge, scope } = event.target.closest("[data-node],[data-edge],[data-scope]")?.dataset ?? {};
    if (node !== undefined) take("node", Number(node));
    if (edge !== undefined) take("edge", Number(edge));
    if (scope !== undefined) toggle(scope);
  });
  return (nodes, edges, endsOf, shut) => {
    const hides = (node) => [...shut].some((scope) => `${scopes[node] ?? ""}/`.startsWith(`${scope}/`));
    items.forEach(({ item, kind, what }) => {
      item.classList.toggle("off", (kind === "node" && !nodes.has(what)) || (kind === "edge" && !edges.has(what)));
      const within = kind === "node" ? [what] : kind === "edge" ? endsOf(what) : [];
      const outer = kind === "scope" && [...shut].some((scope) => what !== scope && what.startsWith(`${scope}/`));
      item.classList.toggle("shut", outer || (within.length > 0 && within.every(hides)));
    });
  };
};
