// Where the chosen path runs, in a graph that is no chain: the map, its scopes and its size, and
// the steps of the path with the ways on from each of them.

const endsOf = new Map();
const nodesOf = (path) => row.segments.flatMap(({ shape }, i) => {
  const own = data.map.nodes[i];
  return [own[shape.root], ...wayAt(shape, path[i]).map((e) => own[shape.edges[e].to])];
});

const showGraph = (path) => {
  if (path === state.path) showSteps();
  lit = lightMap?.(new Set(nodesOf(path)), new Set(row.edges(path)), (e) => endsOf.get(e), state.shut) ?? new Map();
};

// The map

let lightMap = null, lit = new Map(), scale = 1, still = false;

const placeIn = (kind, what) => {
  const i = row.segments.findIndex(({ shape, first }, i) => (kind === "node"
    ? data.map.nodes[i].includes(what) : shape.edges.some(({ number }) => first + number === what)));
  const { shape, first } = row.segments[i];
  return [i, kind === "node" ? data.map.nodes[i].indexOf(what) : shape.edges.findIndex(({ number }) => first + number === what)];
};

const pickOnMap = (kind, what) => {
  if (kind === "scope") return what !== undefined && toggleScope(what);
  const [i, place] = placeIn(kind, what), { shape } = row.segments[i];
  const taken = wayAt(shape, state.path[i]);
  still = true;
  settle(state.path.with(i, wayNumber(shape, kind === "node" ? wayThrough(shape, place, taken) : wayOver(shape, place, taken))));
  still = false;
};

const pointOnMap = (kind, what) => {
  if (what === undefined) return showStep();
  tell("here", kind === "scope" ? worded`scope ${what}: press to ${state.shut.has(what) ? "unfold" : "fold"} it`
    : kind === "node" ? wordsOfNode(...placeIn(kind, what)) : wordsOfEdge(...placeIn(kind, what)));
};

const share = (n) => (fixed === null ? `, on ${grouped(n)} of ${grouped(row.count)} paths` : "");

const wordsOfNode = (i, v) => {
  const scope = data.map.scopes[data.map.nodes[i][v]];
  return worded`${nameRuns(row.segments[i].nodes[v])}${scope ? ` in ${scope}` : ""}${share(row.visiting(i, v))}`;
};

const wordsOfEdge = (i, e) => {
  const { shape, nodes, edges, carried } = row.segments[i], { from, to, grade } = shape.edges[e];
  const value = numeric && name(edges[e]) !== shown(carried[e]) ? ` = ${shown(carried[e])}` : "";
  return worded`${nameRuns(nodes[from])} → ${nameRuns(nodes[to])}: ${nameRuns(edges[e])}${value}${grade ? `, ${layers(grade)}` : ""}${share(row.taking(i, e))}`;
};

const mapWidth = () => $("map").querySelector("svg").viewBox.baseVal.width;

const setScale = (wanted) => {
  const box = $("map"), before = scale;
  scale = Math.min(3, Math.max(0.15, wanted));
  const [x, y] = [box.scrollLeft + box.clientWidth / 2, box.scrollTop + box.clientHeight / 2];
  box.querySelector("svg").style.width = `${scale * mapWidth()}px`;
  box.scrollTo(x * (scale / before) - box.clientWidth / 2, y * (scale / before) - box.clientHeight / 2);
};

const fit = (least = 0) => setScale(Math.max(least, Math.min(1.15, ($("map").clientWidth - 2) / mapWidth())));

// Bring the path into view; one that does not fit, where the chosen step leaves.
const reveal = () => {
  const box = $("map"), found = stepsOf(state.path)[state.step];
  if (still || !lit.size || !found) return;
  const from = data.map.nodes[found.i][row.segments[found.i].shape.edges[found.e].from];
  const [wide, high] = middleOf([...lit.values()]), [x, y] = middleOf([lit.get(from)]);
  const room = (size, mine, other) => (mine[1] * scale < size ? mine : other)[0] * scale - size / 2;
  box.scrollTo(room(box.clientWidth, wide, x), room(box.clientHeight, high, y));
};

// The middle and the extent of some boxes, across and down.
const middleOf = (boxes) => [["x", "width"], ["y", "height"]].map(([at, size]) => {
  const low = Math.min(...boxes.map((box) => box[at])), high = Math.max(...boxes.map((box) => box[at] + box[size]));
  return [(low + high) / 2, high - low];
});

const readyGraph = () => {
  row.segments.forEach(({ shape, first }, i) => shape.edges.forEach(({ from, to, number }) =>
    endsOf.set(first + number, [from, to].map((v) => data.map.nodes[i][v]))));
  const box = $("map"), svg = box.querySelector("svg");
  box.hidden = $("zoom").hidden = !svg;
  if (svg) {
    lightMap = readyMap(svg, data.map, pickOnMap, pointOnMap);
    fit(0.7);
    onKeys(box, { "+": () => setScale(scale * 1.25), "=": () => setScale(scale * 1.25), "-": () => setScale(scale / 1.25), 0: () => fit() });
    $("larger").addEventListener("click", () => setScale(scale * 1.25));
    $("smaller").addEventListener("click", () => setScale(scale / 1.25));
    $("fit").addEventListener("click", () => fit());
    box.addEventListener("wheel", (event) => {
      if (!event.ctrlKey) return;
      event.preventDefault();
      setScale(scale * 1.002 ** -event.deltaY);
    }, { passive: false });
    dragged(box);
  }
  showScopes();
};

// A mouse drags the map; fingers scroll and pinch it by themselves.
const dragged = (box) => {
  let from = null, moved = false;
  box.addEventListener("pointerdown", (event) => {
    moved = false;
    if (event.pointerType === "mouse" && !event.button) from = [event.clientX + box.scrollLeft, event.clientY + box.scrollTop];
  });
  box.addEventListener("pointermove", (event) => {
    if (!from) return;
    const [x, y] = [from[0] - event.clientX, from[1] - event.clientY];
    moved ||= Math.hypot(x - box.scrollLeft, y - box.scrollTop) > 4;
    if (moved) box.scrollTo(x, y);
  });
  ["pointerup", "pointerleave"].forEach((end) => box.addEventListener(end, () => { from = null; }));
  box.addEventListener("click", (event) => moved && event.stopPropagation(), true);
};

// Scopes

const scopesOf = [...new Set((data.map?.rows ?? []).filter(([kind]) => kind === "scope").map(([, scope]) => scope))];

const toggleScope = (scope) => {
  if (!state.shut.delete(scope)) state.shut.add(scope);
  showScopes();
  showGraph(state.path);
  keep();
};

const showScopes = () => {
  const focused = document.activeElement?.dataset.fold;
  $("scopes").replaceChildren(...scopesOf.map((scope) => {
    const button = element("button", { type: "button", "aria-expanded": !state.shut.has(scope), "data-fold": scope }, `${state.shut.has(scope) ? "unfold" : "fold"} ${scope}`);
    button.addEventListener("click", () => toggleScope(scope));
    return button;
  }));
  [...$("scopes").children].find((button) => button.dataset.fold === focused)?.focus();
};

// Steps

const stepsOf = (path) => row.segments.flatMap(({ shape }, i) => {
  const taken = wayAt(shape, path[i]);
  return taken.map((e, at) => ({ i, taken, at, e, out: shape.leaving[shape.edges[e].from] }));
});

const along = ({ i, taken, at }, e) => {
  const { shape } = row.segments[i];
  const rest = wayThrough(shape, shape.edges[e].to, taken).filter((f) => shape.edges[f].from <= shape.edges[e].to);
  const known = rest.length && taken.includes(rest[0]) ? rest : firstWay(shape, shape.edges[e].to);
  return state.path.with(i, wayNumber(shape, [...taken.slice(0, at), e, ...known]));
};

const turnStep = (by) => {
  const found = stepsOf(state.path)[state.step], { out, e } = found;
  if (out.length > 1) settle(along(found, out[(out.indexOf(e) + by + out.length) % out.length]));
};

const moveStep = (by) => {
  const steps = $("steps").children;
  steps[Math.min(Math.max(state.step + by, 0), steps.length - 1)]?.focus();
};

const showSteps = () => {
  const focused = $("steps").contains(document.activeElement), steps = stepsOf(state.path);
  state.step = Math.min(state.step, Math.max(steps.length - 1, 0));
  $("steps").replaceChildren(...steps.map(({ i, e, out }, at) => {
    const { shape, nodes, edges, carried } = row.segments[i];
    const value = numeric && name(edges[e]) !== shown(carried[e]) ? ` = ${shown(carried[e])}` : "";
    const way = out.length > 1 ? `, way ${out.indexOf(e) + 1} of ${out.length}` : "";
    const button = element("button", { type: "button", class: out.length > 1 ? "many" : "only" },
      ...written(worded`${nameRuns(nodes[shape.edges[e].from])} — ${nameRuns(edges[e])}${value}${way}`));
    button.tabIndex = at === state.step ? 0 : -1;
    button.addEventListener("focus", () => {
      state.step = at;
      [...$("steps").children].forEach((other, j) => { other.tabIndex = j === at ? 0 : -1; });
      showStep();
      reveal();
    });
    return button;
  }));
  if (focused) $("steps").children[state.step]?.focus();
  showStep();
};

const showStep = () => {
  const found = stepsOf(state.path)[state.step];
  if (!found) return;
  const { i, e, out } = found, { shape, nodes, edges } = row.segments[i];
  [...$("steps").children].forEach((button, at) => button.toggleAttribute("data-at", at === state.step));
  tell("here", wordsOfEdge(i, e));
  if (out.length < 2) return $("ways").replaceChildren();
  showWays(out.slice(0, MOST_WAYS).map((f) => ({
    words: worded`${nameRuns(edges[f])} to ${nameRuns(nodes[shape.edges[f].to])}`, taken: f === e, go: () => settle(along(found, f)),
  })), out.length, worded`from ${nameRuns(nodes[shape.edges[e].from])}:`);
};
