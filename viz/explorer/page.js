// The page: one state (a path, a degree to keep to, what is unfolded, what was looked for,
// what was visited), shown after every change and kept in the address.

const $ = (name) => document.getElementById(`${ID}-${name}`);
const data = JSON.parse($("data").textContent);
const row = readRow(data);
const { chain, worth } = data;
const name = (place) => data.names[place];
const ROWS = 16, FEW_BLOCKS = 6, MOST_WIRES = 60, MOST_MATCHES = 12;

// Blocks, from the input's side, with the segment that each of them is.
const several = row.segments.map((_, i) => i).filter((i) => total(row.segments[i].shape) > 1n);
const parts = chain?.parts ?? [];
const blocks = parts.filter((part) => part[3]).map((part, i) => {
  const at = several[several.length - 1 - i], { shape, first } = row.segments[at];
  const ways = part[4].map((edges) =>
    wayNumber(shape, shape.edges.flatMap((edge, e) => (edges.includes(first + edge.number) ? [e] : [])).reverse()));
  return { part, at, ways, number: part[3] };
});
const blockOf = new Map(blocks.map((block) => [block.part, block]));
const laneOf = (block, path) => block.ways.indexOf(path[block.at]);

const listed = worth.listed.length > 0;
const fixed = data.degree;
const state = { path: row.at(0n, fixed), degree: fixed, at: 0, open: new Set(), shut: new Set(), visited: new Set(), query: "" };
const counts = () => (fixed === null ? row.counts().map((n, k) => [k, n]) : [[fixed, row.countOf(fixed)]]).filter(([, n]) => n);
const degreesOf = () => counts().map(([k]) => k);
const numberOf = (path) => row.number(path, fixed);
const bringsOf = new Map(worth.degrees.map(([k, norm, share]) => [k, { norm, share }]));

// What a path is called

const edgesIn = (i, path) => {
  const { shape, edges } = row.segments[i];
  return wayAt(shape, path[i]).map((e) => ({ ...shape.edges[e], name: name(edges[e]) }));
};

const labelsIn = (i, path) => edgesIn(i, path).filter(({ kind }) => data.kinds[kind] !== "identity").map((edge) => edge.name);

const orIdentity = (factors) => (factors.length ? factors : ["I"]);

const symbolOf = (block, path) => {
  const lane = laneOf(block, path);
  return lane < 0 ? orIdentity(labelsIn(block.at, path)) : [block.part[2][lane]];
};

const factorsOf = (path) => {
  if (!chain) return orIdentity(row.segments.flatMap((_, i) => labelsIn(i, path)));
  const found = [...parts].reverse().flatMap((part) => (part[3] ? symbolOf(blockOf.get(part), path) : part[2].filter(Boolean)));
  return ["g", ...found];
};

// The nodes on a path, the input's side first.
const routeOf = (path) => {
  const names = row.segments.flatMap(({ shape, nodes }, i) => wayAt(shape, path[i]).map((e) => name(nodes[shape.edges[e].to])));
  return names.reverse().join(" → ");
};

const weightsIn = (i, path) => edgesIn(i, path).reduce((k, { grade }) => k + grade, 0);

// Changing the path

const go = (path, kept = state.degree) => {
  state.path = path;
  if (kept !== fixed && row.degree(path) !== kept) kept = fixed;
  if (kept !== state.degree) state.degree = kept;
  visit();
  show();
};

const choose = (r) => {
  const n = row.countOf(state.degree);
  go(row.at(r < 0n ? 0n : r >= n ? n - 1n : r, state.degree));
};

const step = (by) => choose(row.number(state.path, state.degree) + by);

const setWay = (i, way) => {
  const n = total(row.segments[i].shape), path = [...state.path];
  path[i] = ((way % n) + n) % n;
  if (fixed !== null && row.degree(path) !== fixed) return say(`every path of this set crosses ${layers(fixed)}`);
  go(path);
};

const keepTo = (degree) => {
  const inside = degree === null || row.degree(state.path) === degree;
  state.degree = degree;
  go(inside ? state.path : row.at(0n, degree), degree);
};

const randomBelow = (n) => {
  const bits = n.toString(2).length;
  for (;;) {
    let r = 0n;
    for (let i = 0; i < bits; i += 30) r = (r << 30n) | BigInt(Math.floor(Math.random() * 2 ** 30));
    if ((r &= (1n << BigInt(bits)) - 1n) < n) return r;
  }
};

const visit = () => state.visited.add(listed ? String(numberOf(state.path)) : row.degree(state.path));

const say = (words) => { $("said").textContent = words; };

// Showing

const show = () => {
  showControls();
  showFacts();
  showWhere(state.path);
  showRows();
  marks.forEach((mark) => mark(state.degree === null ? row.degree(state.path) : state.degree));
  keep();
};

const showControls = () => {
  const degrees = degreesOf(), slider = $("degree");
  const r = String(numberOf(state.path));
  if (document.activeElement !== $("number")) $("number").value = r;
  slider.max = fixed === null ? degrees.length : 0;
  slider.value = state.degree === null || fixed !== null ? 0 : degrees.indexOf(state.degree) + 1;
  slider.disabled = fixed !== null || degrees.length === 1;
  const some = row.countOf(state.degree);
  const kept = state.degree === null ? `any number: ${grouped(some)} ${some === 1n ? "path" : "paths"}` : `${state.degree}: ${grouped(some)} ${some === 1n ? "path" : "paths"}`;
  slider.setAttribute("aria-valuetext", kept);
  $("degrees").textContent = kept;
  const j = row.number(state.path, state.degree);
  $("back").disabled = j === 0n;
  $("next").disabled = j === some - 1n;
};

const fact = (term, ...told) => [element("dt", {}, term), element("dd", {}, ...told)];

const partOf = ({ norm, share }) =>
  worth.number === null ? `norm ${shown(norm)}, share of the gradient ${shown(share)}` : `${shown(share * worth.number)}, share of the gradient ${shown(share)}`;

const showFacts = () => {
  const { path } = state, r = numberOf(path), k = row.degree(path), factors = factorsOf(path);
  const own = listed ? { norm: worth.listed[r][0], share: worth.listed[r][1] } : null;
  const same = bringsOf.get(k);
  const within = `, number ${grouped(row.number(path, k))} of the ${grouped(row.countOf(k))} with ${layers(k)}`;
  const facts = [
    ...fact("number", `${grouped(r)} of ${grouped(row.countOf(fixed))}, counted from 0`),
    ...fact("product", ...written(productRuns(factors))),
    ...fact("weight layers", `${k}${fixed === null ? within : ""}`),
  ];
  if (own) facts.push(...fact("what it brings", partOf(own)));
  if (same) facts.push(...fact(own ? "its degree brings" : "all of its degree bring", partOf(same)));
  if (!own && worth.norm) facts.push(...fact("by itself", "not computed: a set of more than 256 paths is told by degree"));
  $("facts").replaceChildren(...facts);
  const value = own ? `, ${partOf(own)}` : same ? `; all paths with ${layers(k)} together: ${partOf(same)}` : "";
  $("live").textContent = `path ${grouped(r)}: ${layers(k)}, product ${productText(factors).slice(0, 200)}${value}`;
  $("latex").value = productLatex(factors);
  showSum();
};

const showSum = () => {
  const total = listed ? worth.listed.length : degreesOf().length;
  const shares = [...state.visited].map((at) => (listed ? worth.listed[at][1] : bringsOf.get(at)?.share));
  const sum = shares.reduce((a, b) => a + (b ?? 0), 0);
  const done = state.visited.size === total;
  const unit = listed ? plural(total, "path") : `${plural(total, "degree")}, all paths of a degree together`;
  const known = worth.norm && shares.every((share) => share !== null && share !== undefined);
  const mark = done && known ? (Math.abs(sum - 1) < 1e-6 ? " ✓ the whole gradient" : " ✗ not the whole gradient") : "";
  const value = known ? `${shown(sum)} of the gradient${worth.number === null ? "" : `, ${shown(sum * worth.number)}`}` : "not known here";
  $("sum").textContent = `Running sum over what was visited, ${state.visited.size} of ${unit}: ${value}${mark}`;
  $("rest").hidden = !known || done;
  $("rest").textContent = listed ? "visit every path" : "visit every degree";
  $("anew").disabled = state.visited.size < 2;
};

// Where it runs: the chain

const tiles = new Map();

const groupsOf = () => {
  if (blocks.length <= FEW_BLOCKS) return [];
  const size = [5, 10, 25, 50, 100, 500].find((n) => blocks.length / n <= 24) ?? Math.ceil(blocks.length / 24);
  const scopes = blocks.map(({ part }) => name(part[5]));
  const own = new Set(scopes).size;
  const starts = own > 1 && own <= 24 && own < blocks.length
    ? blocks.map((_, i) => i).filter((i) => !i || scopes[i] !== scopes[i - 1])
    : blocks.map((_, i) => i).filter((i) => i % size === 0);
  return starts.map((from, i) => ({ from, to: starts[i + 1] ?? blocks.length, scope: own > 1 && own <= 24 ? scopes[from] : "" }));
};
const groups = chain ? groupsOf() : [];
const groupOf = (b) => groups.findIndex(({ from, to }) => from <= b && b < to);

const buildChain = () => {
  const items = itemsOf($("tiles").querySelector("svg"));
  const box = $("chain");
  tiles.clear();
  box.replaceChildren(element("span", { class: "end" }, data.to));
  let b = 0;
  parts.forEach((part) => {
    const block = blockOf.get(part), group = block ? groups.findIndex(({ from }) => from === b) : -1;
    if (group >= 0) box.append(foldButton(group));
    if (!block || !groups.length || state.open.has(groupOf(b))) {
      const inside = groups.length && !block && b > 0 && b < blocks.length && groupOf(b) === groupOf(b - 1) && !state.open.has(groupOf(b));
      if (!inside) box.append(block ? blockButton(items, block, b) : element("span", { class: "tile" }, copyTile(items, chain, part, name)));
    }
    b += Boolean(block);
  });
  box.append(element("span", { class: "end" }, data.from));
  // the node at a tile's end covers the bare one at the start of the next
  [...box.children].forEach((tile, i, all) => { tile.style.zIndex = all.length - i; });
};

const foldButton = (g) => {
  const button = element("button", { type: "button", class: "fold", "data-group": g });
  button.addEventListener("click", () => {
    if (!state.open.delete(g)) state.open.add(g);
    buildChain();
    showWhere(state.path);
    $("chain").querySelector(`[data-group="${g}"]`).focus();
    keep();
  });
  return button;
};

const blockButton = (items, block, b) => {
  const svg = copyTile(items, chain, block.part, name);
  const button = element("button", { type: "button", class: "tile", "data-block": b }, svg, unseen(""));
  button.addEventListener("click", (event) => {
    const lane = event.target.closest("[data-lane]")?.dataset.lane;
    state.at = b;
    setWay(block.at, lane !== undefined && block.ways.length ? block.ways[lane] : state.path[block.at] + 1n);
  });
  svg.addEventListener("pointermove", (event) => {
    const lane = event.target.closest("[data-lane]")?.dataset.lane;
    setApart(lane === undefined || !block.ways.length ? null : (path) => path[block.at] === block.ways[lane]);
  });
  svg.addEventListener("pointerleave", () => setApart(null));
  button.addEventListener("focus", () => { state.at = b; showHere(); });
  tiles.set(b, { button, svg });
  return button;
};

const wordsOf = (block, path) => {
  const labels = [...labelsIn(block.at, path)], symbol = symbolOf(block, path);
  const way = `block ${block.number}, way ${path[block.at] + 1n} of ${total(row.segments[block.at].shape)}`;
  const lane = laneOf(block, path) >= 0 && labels.length ? ` = ${productText(labels)}` : "";
  return `${way}: ${productText(symbol)}${lane}, ${layers(weightsIn(block.at, path))}`;
};

const showHere = () => {
  const block = blocks[state.at];
  $("here").textContent = !chain || !block ? "" : wordsOf(block, state.path);
};

const showWhere = (path) => {
  if (chain) {
    tiles.forEach(({ button, svg }, b) => {
      if (blocks[b].ways.length) light(svg, laneOf(blocks[b], path), "off");
      else light(svg, Number(weightsIn(blocks[b].at, path) > 0), "shut");
      button.tabIndex = b === state.at || (!tiles.has(state.at) && b === [...tiles.keys()][0]) ? 0 : -1;
      button.lastChild.textContent = wordsOf(blocks[b], path);
    });
    $("chain").querySelectorAll("[data-group]").forEach((button) => showFold(button, path));
    showHere();
  } else {
    showSteps(path);
    lightMap?.(new Set(nodesOf(path)), new Set(row.edges(path)), (e) => endsOf.get(e), state.shut);
  }
};

const showFold = (button, path) => {
  const g = Number(button.dataset.group), { from, to, scope } = groups[g], open = state.open.has(g);
  const inside = blocks.slice(from, to);
  const weights = inside.filter(({ at }) => weightsIn(at, path));
  const which = `${scope ? `${scope}: ` : ""}${to - from > 1 ? `blocks ${from + 1} … ${to}` : `block ${to}`}`;
  const ways = `× ${to - from}: ${inside.length - weights.length} weight-free, ${weights.length} through weights`;
  button.setAttribute("aria-expanded", open);
  button.classList.toggle("weighted", weights.length > 0);
  button.replaceChildren(open ? `fold ${which}` : which, ...(open ? [] : [element("small", {}, ways)]));
};

// Where it runs: the map, and the steps of the path

const endsOf = new Map();
const nodesOf = (path) => row.segments.flatMap(({ shape }, i) => {
  const places = data.map.nodes[i];
  return [places[shape.root], ...wayAt(shape, path[i]).map((e) => places[shape.edges[e].to])];
});

const take = (kind, what) => {
  const path = [...state.path];
  row.segments.forEach(({ shape, first }, i) => {
    const taken = wayAt(shape, path[i]);
    const place = kind === "node" ? data.map.nodes[i].indexOf(what) : shape.edges.findIndex(({ number }) => first + number === what);
    if (place < 0) return;
    const found = kind === "node" ? wayThrough(shape, place, taken) : wayOver(shape, place, taken);
    path[i] = wayNumber(shape, found);
  });
  settle(path);
};

// Take a path where the set holds it.
const settle = (path) => {
  if (fixed !== null && row.degree(path) !== fixed) return say(`that path does not cross ${layers(fixed)}`);
  go(path);
};

const otherWay = (i, taken, step, by) => {
  const { shape } = row.segments[i], { from } = shape.edges[taken[step]], out = shape.leaving[from];
  const e = out[(out.indexOf(taken[step]) + by + out.length) % out.length];
  const path = [...state.path];
  path[i] = wayNumber(shape, [...taken.slice(0, step), e, ...firstWay(shape, shape.edges[e].to)]);
  settle(path);
};

const showSteps = (path) => {
  const focused = [...$("steps").children].indexOf(document.activeElement);
  const steps = row.segments.flatMap(({ shape, nodes, edges }, i) => {
    const taken = wayAt(shape, path[i]);
    return taken.map((e, step) => {
      const { from } = shape.edges[e], out = shape.leaving[from];
      const many = out.length > 1;
      const words = `${name(nodes[from])} — ${name(edges[e])}${many ? `, way ${out.indexOf(e) + 1} of ${out.length}` : ""}`;
      const button = element("button", { type: "button", class: many ? "many" : "only" }, words);
      button.tabIndex = -1;
      button.addEventListener("click", () => many && otherWay(i, taken, step, 1));
      button.addEventListener("keydown", (event) => {
        const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
        if (by && many) { event.preventDefault(); otherWay(i, taken, step, by); }
      });
      return button;
    });
  });
  $("steps").replaceChildren(...steps);
  const at = Math.min(Math.max(focused, 0), steps.length - 1);
  if (steps.length) steps[at].tabIndex = 0;
  if (focused >= 0) steps[at]?.focus();
};

const toggleScope = (scope) => {
  if (!state.shut.delete(scope)) state.shut.add(scope);
  showScopes();
  showWhere(state.path);
};

const showScopes = () => {
  const focused = document.activeElement?.dataset.fold;
  const scopes = [...new Set(data.map.rows.filter(([kind]) => kind === "scope").map(([, scope]) => scope))];
  $("scopes").replaceChildren(...scopes.map((scope) => {
    const button = element("button", { type: "button", "aria-expanded": !state.shut.has(scope), "data-fold": scope }, `${state.shut.has(scope) ? "unfold" : "fold"} ${scope}`);
    button.addEventListener("click", () => toggleScope(scope));
    return button;
  }));
  [...$("scopes").children].find((button) => button.dataset.fold === focused)?.focus();
};

// The paths, one by one

let rowsShown = [];

const setApart = (keeps) => rowsShown.forEach(({ path, option }) =>
  option.classList.toggle("apart", Boolean(keeps) && !keeps(path)));

const showRows = () => {
  const some = row.countOf(state.degree), j = row.number(state.path, state.degree);
  const first = (j / BigInt(ROWS)) * BigInt(ROWS);
  const size = some - first < ROWS ? Number(some - first) : ROWS;
  const wired = chain && blocks.length && blocks.length <= MOST_WIRES && blocks.every(({ ways }) => ways.length);
  $("rows").parentElement.classList.toggle("wireless", Boolean(chain) && !wired);
  rowsShown = Array.from({ length: size }, (_, i) => {
    const path = row.at(first + BigInt(i), state.degree), chosen = first + BigInt(i) === j;
    const k = row.degree(path), r = numberOf(path), factors = factorsOf(path);
    const own = listed ? worth.listed[r] : null;
    const cells = [
      element("span", {}, unseen("path "), grouped(r)),
      element("span", {}, ...(wired ? [wireOf(blocks.map(({ at }) => weightsIn(at, path)))] : chain ? [] : [routeOf(path)])),
      element("span", { class: k ? "" : "free", title: productText(factors).slice(0, 400) }, ...written(productRuns(factors))),
      element("span", { class: k ? "" : "free" }, String(k), unseen(k === 1 ? " weight layer" : " weight layers")),
      element("span", {}, ...(own ? [unseen("norm "), shown(own[0])] : [])),
      element("span", {}, ...(own ? [unseen("share "), shown(own[1])] : [])),
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
  $("window").textContent = `Rows ${grouped(first)} to ${grouped(first + BigInt(size - 1))} of ${grouped(some)}${kept}, in the order of p[r]; arrow keys walk.`;
};

// Finding a name

const matchesOf = (query) => row.segments.flatMap(({ shape, nodes, edges }, i) => {
  const b = blocks.findIndex(({ at }) => at === i);
  const hit = (place) => name(place).toLowerCase().includes(query);
  const place = blocks[b] ? `, block ${blocks[b].number}` : "";
  return [
    ...shape.edges.flatMap((_, e) => (hit(edges[e]) ? [{ i, b, e, words: name(edges[e]) + place }] : [])),
    ...nodes.flatMap((node, v) => (v < shape.root && hit(node) ? [{ i, b, v, words: name(node) + place }] : [])),
  ];
});

const findName = () => {
  const query = state.query.trim().toLowerCase(), found = query ? matchesOf(query) : [];
  $("found").textContent = query ? `${plural(found.length, "place")} with this name${found.length > MOST_MATCHES ? `, the first ${MOST_MATCHES}:` : ""}` : "";
  $("matches").replaceChildren(...found.slice(0, MOST_MATCHES).map((match) => {
    const button = element("button", { type: "button" }, match.words);
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

// The address

const framed = location.protocol === "about:";

const keep = () => {
  if (framed) return;
  const told = { r: String(numberOf(state.path)) };
  if (state.degree !== null && fixed === null) told.k = state.degree;
  if (state.open.size) told.open = [...state.open].sort((a, b) => a - b).join(".");
  if (chain && state.at) told.at = state.at;
  if (state.query) told.q = state.query;
  history.replaceState(null, "", `#${new URLSearchParams(told)}`);
};

const recall = () => {
  const told = new URLSearchParams(location.hash.slice(1));
  const r = told.get("r"), k = told.get("k"), at = Number(told.get("at"));
  if (/^\d+$/.test(r ?? "") && BigInt(r) < row.countOf(fixed)) state.path = row.at(BigInt(r), fixed);
  state.degree = fixed === null && /^\d+$/.test(k ?? "") && row.degree(state.path) === Number(k) ? Number(k) : fixed;
  state.open = new Set((told.get("open") ?? "").split(".").filter((g) => /^\d+$/.test(g) && groups[g]).map(Number));
  if (Number.isInteger(at) && blocks[at]) state.at = at;
  state.query = told.get("q") ?? "";
  $("search").value = state.query;
};

// Keys and buttons

const onKeys = (box, moves) => box.addEventListener("keydown", (event) => {
  const move = moves[event.key];
  if (move && !event.ctrlKey && !event.altKey && !event.metaKey) {
    event.preventDefault();
    move(event);
  }
});

const moveTile = (by) => {
  const shown = [...$("chain").querySelectorAll("button")], at = shown.indexOf(document.activeElement) + by;
  shown[Math.min(Math.max(at, 0), shown.length - 1)]?.focus();
};

const turn = (by) => (event) => {
  const b = event.target.dataset.block;
  if (b === undefined) return;
  const block = blocks[b], lane = laneOf(block, state.path), n = block.ways.length;
  setWay(block.at, n ? block.ways[(lane + by + n) % n] : state.path[block.at] + BigInt(by));
};

const moveStep = (by) => {
  const steps = [...$("steps").children], at = steps.indexOf(document.activeElement) + by;
  if (!steps[at]) return;
  steps.forEach((button, i) => { button.tabIndex = i === at ? 0 : -1; });
  steps[at].focus();
};

const copy = async () => {
  const box = $("latex");
  box.hidden = false;
  try {
    await navigator.clipboard.writeText(box.value);
    say("LaTeX copied");
  } catch {
    box.select();
    say(document.execCommand("copy") ? "LaTeX copied" : "LaTeX below, selected: copy it from there");
  }
};

const ready = () => {
  onKeys($("list"), {
    ArrowDown: () => step(1n), ArrowUp: () => step(-1n), PageDown: () => step(BigInt(ROWS)), PageUp: () => step(BigInt(-ROWS)),
    Home: () => choose(0n), End: () => choose(row.countOf(state.degree) - 1n),
  });
  onKeys($("chain"), { ArrowLeft: () => moveTile(-1), ArrowRight: () => moveTile(1), ArrowUp: turn(-1), ArrowDown: turn(1) });
  onKeys($("steps"), { ArrowLeft: () => moveStep(-1), ArrowRight: () => moveStep(1) });
  $("back").addEventListener("click", () => step(-1n));
  $("next").addEventListener("click", () => step(1n));
  $("random").addEventListener("click", () => choose(randomBelow(row.countOf(state.degree))));
  $("free").addEventListener("click", () => go(row.at(0n, 0)));
  $("free").hidden = !row.countOf(0) || fixed !== null;
  $("degree").addEventListener("input", (event) => keepTo(degreesOf()[event.target.value - 1] ?? null));
  $("number").addEventListener("change", (event) => {
    const typed = event.target.value.replace(/[\s,_]/g, "");
    const inside = /^\d+$/.test(typed) && BigInt(typed) < row.countOf(fixed);
    event.target.setAttribute("aria-invalid", !inside);
    say(inside ? "" : `a path number is a whole number from 0 to ${grouped(row.countOf(fixed) - 1n)}`);
    if (inside) go(row.at(BigInt(typed), fixed));
  });
  $("search").addEventListener("input", (event) => { state.query = event.target.value; findName(); keep(); });
  $("copy").addEventListener("click", copy);
  $("anew").addEventListener("click", () => { state.visited.clear(); visit(); showSum(); });
  $("rest").addEventListener("click", () => {
    (listed ? worth.listed.map((_, r) => String(r)) : degreesOf()).forEach((at) => state.visited.add(at));
    showSum();
  });
  window.addEventListener("hashchange", () => { recall(); chain && buildChain(); findName(); visit(); show(); });
};

const showOnce = () => {
  const agree = String(row.countOf(fixed)) === data.count ? "" : " ✗ This page counts other paths than Python did.";
  const check = worth.error === null ? `○ The sum over degrees was not checked: ${worth.why}.`
    : `${worth.holds ? "✓" : "✗"} The parts by degree sum to the gradient: relative error ${worth.error ? shown(worth.error) : "0"}.`;
  $("check").textContent = check + agree;
  $("why").textContent = worth.norm === undefined ? `No norms: ${worth.why}.` : "";
  const share = (k) => bringsOf.get(k)?.share;
  let sum = 0;
  $("table").replaceChildren(...counts().map(([k, n]) => {
    sum += share(k) ?? NaN;
    const cells = [String(n), bringsOf.has(k) ? shown(bringsOf.get(k).norm) : "–", bringsOf.has(k) ? shown(share(k)) : "–", Number.isNaN(sum) ? "–" : shown(sum)];
    return element("tr", {}, element("th", { scope: "row" }, String(k)), ...cells.map((words) => element("td", {}, words)));
  }));
  $("head").replaceChildren(...["number", "way", chain ? "product, from g back" : "product", "weights", listed ? "norm" : "", listed ? "share" : ""]
    .map((words) => element("span", {}, words)));
  $("how").textContent = chain
    ? "Point at a way to take it, or use the arrow keys: left and right move, up and down change the way."
    : data.map.why || "Point at a node or an edge to lead the path there; below, left and right move along the path, up and down change the way.";
};

const marks = [...document.querySelectorAll(`#${ID} .bars svg`)].map((svg, i) =>
  readyBars(svg, data.bars[i], degreesOf, (k) => fixed === null && keepTo(state.degree === k ? null : k)));
let lightMap = null;
if (chain) buildChain();
else {
  $("chain").hidden = true;
  $("steps").hidden = false;
  row.segments.forEach(({ shape, first }, i) => shape.edges.forEach(({ from, to, number }) =>
    endsOf.set(first + number, [from, to].map((v) => data.map.nodes[i][v]))));
  $("forward").hidden = true;
  const svg = $("map").querySelector("svg");
  $("map").hidden = !svg;
  if (svg) {
    const { width } = svg.viewBox.baseVal;
    svg.style.minWidth = `${0.8 * width}px`;
    svg.style.maxWidth = `${1.15 * width}px`;
  }
  if (svg) lightMap = readyMap(svg, data.map, take, toggleScope);
  showScopes();
}
if (fixed === null && row.countOf(0)) state.path = row.at(0n, 0);
ready();
recall();
if (chain && state.open.size) buildChain();
findName();
showOnce();
visit();
show();
