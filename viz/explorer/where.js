// Where the chosen path runs: the chain and its folds; or the map, its scopes and the steps.

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
