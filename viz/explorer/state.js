// The state of the page: a path, a degree to keep to, what is folded, what was looked for,
// what was visited.  Here are the questions about it and the ways to change it.

const $ = (name) => document.getElementById(`${ID}-${name}`);
const data = JSON.parse($("data").textContent);
const row = readRow(data);
const { chain, worth } = data;
const name = (place) => data.names[place];
const [ARRIVING, IDENTITY] = chain?.letters ?? ["g", "I"];
const maths = new Set([ARRIVING, IDENTITY, ...data.names.filter((_, i) => data.maths[i] === "1"), ...(chain?.parts ?? []).flatMap((part) => part[2])]);
const nameRuns = (place) => runsOf(name(place));
const isMaths = (name) => maths.has(name);
const ROWS = 16, FEW_BLOCKS = 6, MOST_MATCHES = 12, MOST_WAYS = 24, MOST_FACTORS = 8, MOST_SHOWN = 60;

// Blocks, from the input's side, with the segment that each of them is.
const several = row.segments.map((_, i) => i).filter((i) => total(row.segments[i].shape) > 1n);
const parts = chain?.parts ?? [];
const blocks = parts.filter((part) => part[3]).map((part, i) => {
  const at = several[several.length - 1 - i], { shape, first } = row.segments[at];
  const ways = part[4].map((edges) =>
    wayNumber(shape, shape.edges.flatMap((edge, e) => (edges.includes(first + edge.number) ? [e] : [])).reverse()));
  return { part, at, ways, called: part[3] };
});
const blockOf = new Map(blocks.map((block) => [block.part, block]));
const laneOf = (block, path) => block.ways.indexOf(path[block.at]);

const listed = worth.listed.length > 0;
const fixed = data.degree;
const state = {
  path: row.at(0n, fixed), degree: fixed, at: 0, step: 0, open: new Set(), shut: new Set(), visited: new Set(), query: "",
};
const counts = () => (fixed === null ? row.counts().map((n, k) => [k, n]) : [[fixed, row.countOf(fixed)]]).filter(([, n]) => n);
const degreesOf = () => counts().map(([k]) => k);
const numberOf = (path) => row.number(path, fixed);
const bringsOf = new Map(worth.degrees.map(([k, norm, share, entries]) => [k, { norm, share, entries }]));
const endsAt = new Map(worth.ends ?? []);
const numeric = data.level === "scalar";

// What a path is called

const edgesIn = (i, path) => {
  const { shape, edges } = row.segments[i];
  return wayAt(shape, path[i]).map((e) => ({ ...shape.edges[e], name: name(edges[e]) }));
};

const labelsIn = (i, path) => edgesIn(i, path).filter(({ kind }) => data.kinds[kind] !== "identity").map((edge) => edge.name);

const orIdentity = (factors) => (factors.length ? factors : [IDENTITY]);

const symbolOf = (block, path) => {
  const lane = laneOf(block, path);
  return lane < 0 ? orIdentity(labelsIn(block.at, path)) : [block.part[2][lane]];
};

const factorsOf = (path) => {
  if (!blocks.length) return orIdentity(row.segments.flatMap((_, i) => labelsIn(i, path)));
  const found = [...parts].reverse().flatMap((part) => (part[3] ? symbolOf(blockOf.get(part), path) : part[2].filter(Boolean)));
  return [ARRIVING, ...found];
};

// The nodes on a path, the input's side first.
const routeOf = (path) => {
  const names = row.segments.flatMap(({ shape, nodes }, i) => wayAt(shape, path[i]).map((e) => nodes[shape.edges[e].to]));
  const { shape, nodes } = row.segments[0] ?? {};
  return [...names.reverse(), ...(shape ? [nodes[shape.root]] : [])].flatMap((place, i) => worded`${i ? " → " : ""}${nameRuns(place)}`);
};

const weightsIn = (i, path) => edgesIn(i, path).reduce((k, { grade }) => k + grade, 0);

// What a path brings by itself, where that is known: told of few paths, multiplied at scalar level.
const ownOf = (path) => {
  if (listed) {
    const [norm, share, entries] = worth.listed[Number(numberOf(path))];
    return { norm, share, entries };
  }
  if (!endsAt.size || !worth.norm) return null;
  const product = asNumber(multiplied(row.carried(path))), at = row.segments.length - 1, { shape } = row.segments[at];
  const end = data.map.nodes[at][shape.edges[wayAt(shape, path[at]).at(-1)].to];
  return { norm: Math.abs(product), share: (product / worth.norm) * (endsAt.get(end) / worth.norm), entries: null };
};

// Changing the path

const go = (path, kept = state.degree) => {
  state.path = path;
  if (kept !== fixed && row.degree(path) !== kept) kept = fixed;
  state.degree = kept;
  visit();
  show();
};

const choose = (r) => {
  const n = row.countOf(state.degree);
  go(row.at(r < 0n ? 0n : r >= n ? n - 1n : r, state.degree));
};

const step = (by) => choose(row.number(state.path, state.degree) + by);

// Take a path where the set holds it.
const settle = (path) => {
  const stays = fixed !== null && row.degree(path) !== fixed;
  if (stays) return tell("here", worded`every path of this set crosses ${layers(fixed)}, and that one does not`);
  go(path);
};

const setWay = (i, way) => {
  const n = total(row.segments[i].shape), path = [...state.path];
  path[i] = ((way % n) + n) % n;
  settle(path);
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

const tell = (where, runs) => $(where).replaceChildren(...written(runs));

const say = (where, words) => { $(where).textContent = words; };
