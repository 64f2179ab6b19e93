// Where the chosen path runs, in a chain: its blocks, one after the other, and their folds.

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
  box.replaceChildren(element("span", { class: "end" }, ...written(runsOf(data.to))));
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
  const end = element("span", { class: "end" }, ...written(runsOf(data.from)));
  box.append(element("span", { class: "last" }, ...(box.children.length > 1 ? [box.lastChild] : []), end));
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
    const lane = event.target.closest("[data-lane]")?.dataset.lane, way = block.ways[lane];
    setApart(way === undefined ? null : (path) => path[block.at] === way);
    if (way !== undefined) tell("here", wordsOf(block, state.path.with(block.at, way)));
  });
  svg.addEventListener("pointerleave", () => { setApart(null); showHere(); });
  button.addEventListener("focus", () => { state.at = b; showHere(); });
  tiles.set(b, { button, svg });
  return button;
};

const wordsOf = (block, path) => {
  const labels = [...labelsIn(block.at, path)], symbol = symbolOf(block, path), ways = total(row.segments[block.at].shape);
  const way = `${block.called}, way ${path[block.at] + 1n} of ${ways}`;
  const lane = laneOf(block, path) >= 0 && labels.length ? worded` = ${productRuns(labels)}` : "";
  const share = fixed === null ? `, on ${grouped(row.count / ways)} of ${grouped(row.count)} paths` : "";
  return worded`${way}: ${productRuns(symbol)}${lane}, ${layers(weightsIn(block.at, path))}${share}`;
};

const showHere = () => {
  const block = blocks[state.at];
  tell("here", block ? wordsOf(block, state.path) : []);
  if (!block || block.ways.length) return $("ways").replaceChildren();
  const { shape } = row.segments[block.at], n = Number(total(shape));
  showWays(Array.from({ length: Math.min(n, MOST_WAYS) }, (_, way) => {
    const path = state.path.with(block.at, BigInt(way));
    return { words: worded`${productRuns(orIdentity(labelsIn(block.at, path)))}, ${layers(weightsIn(block.at, path))}`, taken: state.path[block.at] === BigInt(way), go: () => settle(path) };
  }), n, worded`ways through ${block.called}:`);
};

// Ways to choose from, as buttons.
const showWays = (ways, n, words) => $("ways").replaceChildren(element("span", {}, ...written(words)), ...ways.map(({ words, taken, go }) => {
  const button = element("button", { type: "button", "aria-pressed": taken }, ...written(words));
  button.addEventListener("click", () => {
    const at = [...$("ways").children].indexOf(button);
    go();
    $("ways").children[at]?.focus();
  });
  return button;
}), ...(n > ways.length ? [`and ${n - ways.length} more: the arrow keys reach them`] : []));

const showChain = (path) => {
  tiles.forEach(({ button, svg }, b) => {
    if (blocks[b].ways.length) light(svg, laneOf(blocks[b], path), "off");
    else light(svg, Number(weightsIn(blocks[b].at, path) > 0), "shut");
    button.tabIndex = b === state.at || (!tiles.has(state.at) && b === [...tiles.keys()][0]) ? 0 : -1;
    button.lastChild.replaceChildren(...written(wordsOf(blocks[b], path)));
  });
  $("chain").querySelectorAll("[data-group]").forEach((button) => showFold(button, path));
  if (path === state.path) showHere();
};

const showWhere = (path) => (chain ? showChain(path) : showGraph(path));

const showFold = (button, path) => {
  const g = Number(button.dataset.group), { from, to, scope } = groups[g], open = state.open.has(g);
  const inside = blocks.slice(from, to);
  const weights = inside.filter(({ at }) => weightsIn(at, path));
  const [first, last] = [blocks[from].called, blocks[to - 1].called];
  const which = `${scope ? `${scope}: ` : ""}${to - from > 1 ? `${first} … ${last}`.replace(/^block (.*) block /, "blocks $1 ") : first}`;
  const ways = `× ${to - from}: ${inside.length - weights.length} weight-free, ${weights.length} through weights`;
  button.setAttribute("aria-expanded", open);
  button.classList.toggle("weighted", weights.length > 0);
  button.replaceChildren(open ? `fold ${which}` : which, ...(open ? [] : [element("small", {}, ways)]));
};
