// The page: it is shown after every change, kept in the address, and listens to its reader.

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
