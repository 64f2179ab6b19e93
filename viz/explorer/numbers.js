// The numbers of paths: which one comes r-th, and how many there are, by whole numbers alone.
//
// A path is one way through each segment, so its number has one digit for each of them, the
// output's side first; a segment's ways are counted node by node.  Of the paths of one degree
// the r-th is found in the same way, by counts that keep degrees apart: polynomials, the
// coefficient of z^k counting paths of degree k.

const add = (p, q) => {
  const [long, short] = p.length < q.length ? [q, p] : [p, q];
  return long.map((n, k) => n + (short[k] ?? 0n));
};

const shift = (p, k) => (k ? [...Array(k).fill(0n), ...p] : p);

const multiply = (p, q) => {
  const found = Array(p.length + q.length - 1).fill(0n);
  p.forEach((a, i) => {
    if (a) q.forEach((b, j) => { if (b) found[i + j] += a * b; });
  });
  return found;
};

// The coefficient of z^k of a product.
const coefficient = (p, q, k) => {
  let found = 0n;
  for (let i = Math.max(0, k - q.length + 1); i <= k && i < p.length; i++) found += p[i] * q[k - i];
  return found;
};

// A shape: its edges, those that leave each node, and the ways to each node and from it on.
const readShape = ([size, rows]) => {
  const edges = rows.map(([from, to, grade, kind, number]) => ({ from, to, grade, kind, number }));
  const leaving = Array.from({ length: size }, () => []);
  edges.forEach((edge, e) => leaving[edge.from].push(e));
  const ways = leaving.map(() => 1n);
  const degrees = leaving.map(() => [1n]);
  leaving.forEach((out, node) => {
    if (!out.length) return;
    ways[node] = out.reduce((n, e) => n + ways[edges[e].to], 0n);
    degrees[node] = out.map((e) => shift(degrees[edges[e].to], edges[e].grade)).reduce(add);
  });
  const reached = leaving.map((_, node) => BigInt(node === size - 1));
  for (let node = size; node--;) leaving[node].forEach((e) => { reached[edges[e].to] += reached[node]; });
  return { edges, leaving, ways, degrees, reached, root: size - 1 };
};

const total = (shape) => shape.ways[shape.root];

// Way number r through a shape, as its edges.
const wayAt = (shape, r) => {
  const taken = [];
  for (let node = shape.root; shape.leaving[node].length;) {
    for (const e of shape.leaving[node]) {
      const n = shape.ways[shape.edges[e].to];
      if (r < n) { taken.push(e); break; }
      r -= n;
    }
    node = shape.edges[taken.at(-1)].to;
  }
  return taken;
};

const wayNumber = (shape, taken) => taken.reduce((r, e) => {
  for (const other of shape.leaving[shape.edges[e].from]) {
    if (other === e) return r;
    r += shape.ways[shape.edges[other].to];
  }
  return r;
}, 0n);

const firstWay = (shape, node) => {
  const taken = [];
  while (shape.leaving[node].length) {
    taken.push(shape.leaving[node][0]);
    node = shape.edges[taken.at(-1)].to;
  }
  return taken;
};

// A way that visits a node; it keeps to the steps of `taken` as far as they lead there.
const wayThrough = (shape, node, taken) => {
  if (node === shape.root || taken.some((e) => shape.edges[e].to === node)) return taken;
  const leads = new Set([node]);
  shape.edges.forEach(({ from, to }) => { if (leads.has(to)) leads.add(from); });
  const found = [];
  for (let at = shape.root; at !== node;) {
    const onward = shape.leaving[at].filter((e) => leads.has(shape.edges[e].to));
    found.push(onward.find((e) => taken.includes(e)) ?? onward[0]);
    at = shape.edges[found.at(-1)].to;
  }
  return [...found, ...firstWay(shape, node)];
};

const wayOver = (shape, e, taken) => {
  if (taken.includes(e)) return taken;
  const { from, to } = shape.edges[e];
  const before = wayThrough(shape, from, taken).filter((f) => shape.edges[f].from > from);
  return [...before, e, ...firstWay(shape, to)];
};

// The row of segments: paths are arrays of way numbers, one for each segment.
const readRow = ({ shapes, segments }) => {
  const known = shapes.map(readShape);
  const row = segments.map(([shape, first, nodes, edges, signs, parallel, carried]) =>
    ({ shape: known[shape], first, nodes, edges, signs, parallel, carried }));
  const behind = Array(row.length + 1).fill(1n);
  for (let i = row.length; i--;) behind[i] = behind[i + 1] * total(row[i].shape);
  let tables;
  const byDegree = () => {
    if (!tables) {
      tables = Array(row.length + 1).fill([1n]);
      for (let i = row.length; i--;) {
        const { degrees, root } = row[i].shape;
        tables[i] = multiply(degrees[root], tables[i + 1]);
      }
    }
    return tables;
  };
  const left = (i, node, k) => (k < 0 ? 0n : coefficient(row[i].shape.degrees[node], byDegree()[i + 1], k));
  return {
    segments: row,
    count: behind[0],
    counts: () => byDegree()[0],
    countOf: (k) => (k === null ? behind[0] : byDegree()[0][k] ?? 0n),
    // How many of all paths visit a node of a segment, or take an edge.
    visiting: (i, v) => row[i].shape.reached[v] * row[i].shape.ways[v] * (behind[0] / total(row[i].shape)),
    taking: (i, e) => {
      const { shape } = row[i], { from, to } = shape.edges[e];
      return shape.reached[from] * shape.ways[to] * (behind[0] / total(shape));
    },
    degree: (path) => row.reduce((sum, { shape }, i) =>
      sum + wayAt(shape, path[i]).reduce((k, e) => k + shape.edges[e].grade, 0), 0),
    carried: (path) => row.flatMap(({ shape, carried }, i) => wayAt(shape, path[i]).map((e) => carried[e])),
    edges: (path) => row.flatMap(({ shape, first }, i) =>
      wayAt(shape, path[i]).map((e) => first + shape.edges[e].number)),
    // Path number r of all, or of those of degree k.
    at: (r, k) => row.map(({ shape }, i) => {
      if (k === null) {
        const digit = r / behind[i + 1];
        r %= behind[i + 1];
        return digit;
      }
      const taken = [];
      for (let node = shape.root; shape.leaving[node].length;) {
        for (const e of shape.leaving[node]) {
          const { to, grade } = shape.edges[e];
          const n = left(i, to, k - grade);
          if (r < n) { taken.push(e); k -= grade; break; }
          r -= n;
        }
        node = shape.edges[taken.at(-1)].to;
      }
      return wayNumber(shape, taken);
    }),
    number: (path, k) => row.reduce((r, { shape }, i) => {
      if (k === null) return r + path[i] * behind[i + 1];
      for (const e of wayAt(shape, path[i])) {
        for (const other of shape.leaving[shape.edges[e].from]) {
          if (other === e) break;
          r += left(i, shape.edges[other].to, k - shape.edges[other].grade);
        }
        k -= shape.edges[e].grade;
      }
      return r;
    }, 0n),
  };
};
