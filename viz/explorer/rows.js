// Rows: the chosen path in words, the paths around it one by one, and names to be found.

// The chosen path

const fact = (term, ...told) => [element("dt", {}, term), element("dd", {}, ...told)];

const partOf = ({ norm, share }) => {
  const size = worth.number === null || share === null ? `norm ${shown(norm)}` : shown(share * worth.number);
  return `${size}${share === null ? "" : `, share of the gradient ${shown(share)}`}`;
};

// The numbers on a path's edges, copies left out, and their product.
const numbersOf = (path) => {
  const factors = row.carried(path), told = factors.filter((x) => x !== 1);
  const product = `${shownFar(multiplied(factors))}`;
  return told.length < 2 || told.length > MOST_FACTORS ? product : `${told.map((x, i) => (i && x < 0 ? `(${shown(x)})` : shown(x))).join(" · ")} = ${product}`;
};

const showFacts = () => {
  const { path } = state, r = numberOf(path), k = row.degree(path), factors = factorsOf(path);
  const own = ownOf(path), same = bringsOf.get(k), alike = row.countOf(k);
  const within = alike === 1n ? "the only path with so many" : `number ${grouped(row.number(path, k))} of the ${grouped(alike)} paths with so many, counted from 0`;
  const facts = [
    ...fact("number", `${grouped(r)}${String(r).length > 24 ? ` = ${r}` : ""} of ${grouped(row.countOf(fixed))}, counted from 0`),
    ...fact("product", ...written(productRuns(factors))),
    ...(numeric ? fact("in numbers", numbersOf(path)) : []),
    ...(chain ? [] : fact("nodes", ...written(routeOf(path)))),
    ...fact("weight layers", `${k}${fixed === null ? `, ${within}` : ""}`),
  ];
  if (own) facts.push(...fact("what it brings", partOf(own)));
  if (same && (!own || alike > 1n)) facts.push(...fact(own ? "its degree brings" : "all of its degree bring", partOf(same)));
  if (!own && worth.norm) facts.push(...fact("by itself", "not computed: of more than 256 paths the page knows what each degree brings"));
  $("facts").replaceChildren(...facts);
  const value = own ? `, ${partOf(own)}` : same ? `; all paths with ${layers(k)} together: ${partOf(same)}` : "";
  $("live").textContent = `path ${grouped(r)}: ${layers(k)}, product ${productText(factors).slice(0, 200)}${value}`;
  $("latex").value = latexOf(path);
  showSum();
};

// The paths, one by one

let rowsShown = [];

const setApart = (keeps) => rowsShown.forEach(({ path, option }) =>
  option.classList.toggle("apart", Boolean(keeps) && !keeps(path)));

const showRows = () => {
  const some = row.countOf(state.degree), j = row.number(state.path, state.degree);
  const first = (j / BigInt(ROWS)) * BigInt(ROWS);
  const size = some - first < ROWS ? Number(some - first) : ROWS;
  $("rows").parentElement.classList.toggle("wireless", Boolean(chain) && !blocks.length);
  rowsShown = Array.from({ length: size }, (_, i) => {
    const path = row.at(first + BigInt(i), state.degree), chosen = first + BigInt(i) === j;
    const k = row.degree(path), r = numberOf(path), factors = factorsOf(path), own = ownOf(path);
    const cells = [
      element("span", {}, unseen("path "), ending(r)),
      element("span", {}, ...(blocks.length ? [wireOf(blocks.map(({ at }) => weightsIn(at, path)))] : chain ? [] : written(routeOf(path)))),
      element("span", { class: k ? "" : "free", title: productText(factors).slice(0, 400) }, ...written(productRuns(factors, MOST_SHOWN))),
      element("span", { class: k ? "" : "free" }, String(k), unseen(k === 1 ? " weight layer" : " weight layers")),
      element("span", {}, ...(own ? [unseen("norm "), shown(own.norm)] : [])),
      element("span", {}, ...(own ? [unseen("share "), shown(own.share)] : [])),
    ];
    const option = element("div", { class: "row", role: "option", id: `${ID}-row-${i}`, "aria-selected": chosen }, ...cells);
    option.addEventListener("click", () => go(path));
    option.addEventListener("pointerenter", () => showWhere(path));
    option.addEventListener("pointerleave", () => showWhere(state.path));
    return { path, option, chosen };
  });
  $("list").replaceChildren(...rowsShown.map(({ option }) => option));
  $("list").setAttribute("aria-activedescendant", `${ID}-row-${rowsShown.findIndex(({ chosen }) => chosen)}`);
  const kept = state.degree === null ? "" : ` with ${layers(state.degree)}`;
  $("window").textContent = `Rows ${ending(first)} to ${ending(first + BigInt(size - 1))} of ${grouped(some)}${kept}, in the order of p[r]; arrow keys walk.`;
};

// Finding a name

const bare = (words) => words.replace(/[{}]/g, "").toLowerCase();

const matchesOf = (query) => row.segments.flatMap(({ shape, nodes, edges }, i) => {
  const b = blocks.findIndex(({ at }) => at === i);
  const hit = (place) => bare(name(place)).includes(bare(query));
  const place = blocks[b] ? `, ${blocks[b].called}` : "";
  return [
    ...shape.edges.flatMap((_, e) => (hit(edges[e]) ? [{ i, b, e, words: worded`${nameRuns(edges[e])}${place}` }] : [])),
    ...nodes.flatMap((node, v) => (v < shape.root && hit(node) ? [{ i, b, v, words: worded`${nameRuns(node)}${place}` }] : [])),
  ];
});

const findName = () => {
  const query = state.query.trim(), found = query ? matchesOf(query) : [];
  $("found").textContent = query ? `${plural(found.length, "place")} with this name${found.length > MOST_MATCHES ? `, the first ${MOST_MATCHES}:` : ""}` : "";
  $("matches").replaceChildren(...found.slice(0, MOST_MATCHES).map((match) => {
    const button = element("button", { type: "button" }, ...written(match.words));
    button.addEventListener("click", () => lead(match));
    return button;
  }));
};

const lead = ({ i, b, e, v }) => {
  const { shape } = row.segments[i], taken = wayAt(shape, state.path[i]), path = [...state.path];
  path[i] = wayNumber(shape, e === undefined ? wayThrough(shape, v, taken) : wayOver(shape, e, taken));
  if (b >= 0) {
    state.at = b;
    if (groups.length) state.open.add(groupOf(b));
    buildChain();
  }
  settle(path);
  if (b >= 0) tiles.get(b).button.scrollIntoView({ block: "nearest" });
};
