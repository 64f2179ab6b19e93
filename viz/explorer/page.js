// The page: it is shown after every change, kept in the address, and listens to its reader.

// Showing

const show = () => {
  showControls();
  showFacts();
  showWhere(state.path);
  showRows();
  if (!chain) reveal();
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
  const kept = `${state.degree === null ? "any number" : state.degree}: ${grouped(some)} ${some === 1n ? "path" : "paths"}`;
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
  if (state.shut.size) told.shut = scopesOf.flatMap((scope, i) => (state.shut.has(scope) ? [i] : [])).join(".");
  if (state.visited.size > 1) told.seen = seen();
  if (state.query) told.q = state.query;
  history.replaceState(null, "", `#${new URLSearchParams(told)}`);
};

// What was visited, as the bits of a whole number.
const seen = () => places.reduce((bits, at, i) => (state.visited.has(at) ? bits | (1n << BigInt(i)) : bits), 0n).toString(16);

const listOf = (told, known) => (told ?? "").split(".").filter((i) => /^\d+$/.test(i) && known[i] !== undefined).map(Number);

const recall = () => {
  const told = new URLSearchParams(location.hash.slice(1));
  const r = told.get("r"), k = told.get("k"), at = Number(told.get("at"));
  if (/^\d+$/.test(r ?? "") && BigInt(r) < row.countOf(fixed)) state.path = row.at(BigInt(r), fixed);
  state.degree = fixed === null && /^\d+$/.test(k ?? "") && row.degree(state.path) === Number(k) ? Number(k) : fixed;
  state.open = new Set(listOf(told.get("open"), groups));
  state.shut = new Set(listOf(told.get("shut"), scopesOf).map((i) => scopesOf[i]));
  const bits = told.get("seen") ?? "";
  const was = /^[0-9a-f]{1,600}$/.test(bits) ? BigInt(`0x${bits}`) : 0n;
  state.visited = new Set(places.filter((_, i) => (was >> BigInt(i)) & 1n));
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

const copy = async () => {
  const box = $("latex");
  box.hidden = false;
  try {
    await navigator.clipboard.writeText(box.value);
    say("said", "LaTeX copied");
  } catch {
    box.select();
    say("said", document.execCommand("copy") ? "LaTeX copied" : "LaTeX below, selected: copy it from there");
  }
};

const ready = () => {
  onKeys($("list"), {
    ArrowDown: () => step(1n), ArrowUp: () => step(-1n), PageDown: () => step(BigInt(ROWS)), PageUp: () => step(BigInt(-ROWS)),
    Home: () => choose(0n), End: () => choose(row.countOf(state.degree) - 1n),
  });
  onKeys($("chain"), { ArrowLeft: () => moveTile(-1), ArrowRight: () => moveTile(1), ArrowUp: turn(-1), ArrowDown: turn(1) });
  onKeys($("steps"), { ArrowLeft: () => moveStep(-1), ArrowRight: () => moveStep(1), ArrowUp: () => turnStep(-1), ArrowDown: () => turnStep(1) });
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
    say("wrong", inside ? "" : `a path number is a whole number from 0 to ${grouped(row.countOf(fixed) - 1n)}`);
    if (inside) go(row.at(BigInt(typed), fixed));
  });
  $("search").addEventListener("input", (event) => { state.query = event.target.value; findName(); keep(); });
  $("copy").addEventListener("click", copy);
  $("anew").addEventListener("click", () => { state.visited.clear(); visit(); showSum(); keep(); });
  $("rest").addEventListener("click", () => {
    state.visited = new Set(places);
    showSum();
    keep();
  });
  window.addEventListener("hashchange", () => {
    recall();
    if (chain) buildChain();
    else showScopes();
    findName();
    visit();
    show();
  });
};

const showOnce = () => {
  showChecks();
  $("of").textContent = `of ${grouped(row.countOf(fixed))}`;
  $("why").textContent = worth.norm === undefined ? `No norms: ${worth.why}.` : "";
  const share = (k) => bringsOf.get(k)?.share;
  let sum = 0;
  $("table").replaceChildren(...counts().map(([k, n]) => {
    sum += share(k) ?? NaN;
    const cells = [String(n), bringsOf.has(k) ? shown(bringsOf.get(k).norm) : "–", bringsOf.has(k) ? shown(share(k)) : "–", Number.isNaN(sum) ? "–" : shown(sum)];
    return element("tr", {}, element("th", { scope: "row" }, String(k)), ...cells.map((words) => element("td", {}, words)));
  }));
  $("head").replaceChildren(...["number", "way", chain ? `product, from ${ARRIVING} back` : "product", "weights", ...(ownOf(state.path) ? ["norm", "share"] : ["", ""])]
    .map((words) => element("span", {}, words)));
  $("how").textContent = chain
    ? "Point at a way to take it, or use the arrow keys: left and right move, up and down change the way."
    : data.map.why ? `${data.map.why}. Choose at each step of the path where it goes on.`
      : "Point at a node or an edge to see how many paths it is on; press it to lead the path there.";
};

const marks = [...document.querySelectorAll(`#${ID} .bars svg`)].map((svg, i) =>
  readyBars(svg, data.bars[i], degreesOf, (k) => fixed === null && keepTo(state.degree === k ? null : k)));
$("chain").hidden = !chain;
$("steps").hidden = Boolean(chain);
if (fixed === null && row.countOf(0)) state.path = row.at(0n, 0);
recall();
visit();
if (chain) buildChain();
else readyGraph();
ready();
findName();
showOnce();
show();
