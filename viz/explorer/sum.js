// The sum: what was visited so far, and whether all of it is the gradient.  What Python found is
// not taken on trust: the page adds up the numbers that it shows, and says where they fail.

const places = listed ? worth.listed.map((_, r) => r) : degreesOf();
const placeOf = (path) => (listed ? Number(numberOf(path)) : row.degree(path));
const partAt = (at) => {
  const [norm, share, entries] = worth.listed[at] ?? [];
  return listed ? { norm, share, entries } : bringsOf.get(at);
};
const visit = () => state.visited.add(placeOf(state.path));

const goal = worth.called || "the gradient through these paths";

// Add up parts: their shares, and their entries where these are told.
const addUp = (added) => ({
  share: added.reduce((sum, part) => sum + (part?.share ?? NaN), 0),
  entries: worth.gradient?.map((_, i) => added.reduce((sum, part) => sum + (part?.entries?.[i] ?? NaN), 0)),
});

const isWhole = ({ share, entries }) => Math.abs(share - 1) <= worth.tolerance
  && (!entries || Math.hypot(...entries.map((x, i) => x - worth.gradient[i])) <= worth.tolerance * worth.norm);

const isNear = (a, b) => Math.abs(a - b) <= 1e-9 * (1 + Math.abs(a) + Math.abs(b));

// Whether a part's norm and share are those of its entries.
const agrees = ({ norm, share, entries }) => !entries || (isNear(norm, Math.hypot(...entries))
  && isNear(share, entries.reduce((sum, x, i) => sum + (x / worth.norm) * (worth.gradient[i] / worth.norm), 0)));

// Whether the paths that are told one by one make up what is told of their degrees.
const makeUp = () => {
  const found = new Map();
  worth.listed.forEach(([, share], r) => {
    const k = row.degree(row.at(BigInt(r), fixed));
    found.set(k, (found.get(k) ?? 0) + share);
  });
  return [...found].every(([k, share]) => Math.abs(share - bringsOf.get(k).share) <= worth.tolerance * (1 + Math.abs(share)));
};

// Whether the numbers on the edges multiply to what is told of each path.
const multiplyOut = () => !endsAt.size || worth.listed.every(([norm], r) =>
  isNear(norm, Math.abs(asNumber(multiplied(row.carried(row.at(BigInt(r), fixed)))))));

const checksOf = () => {
  const count = row.countOf(fixed), degrees = plural(places.length, "degree");
  const found = [[count === BigInt(data.count), `This page counts ${plural(grouped(count), "path")}`, "as Python did", `Python counted ${grouped(BigInt(data.count))}`]];
  if (worth.error === null) return [...found, [null, `No sum was checked: ${worth.why}`, "", ""]];
  found.push([worth.error <= worth.tolerance, `Python: ${listed ? "the products of all paths, and the parts by degree," : `the parts of ${degrees}`} sum to ${goal}, relative error ${worth.error ? shown(worth.error) : "0"}`, "", "too large"]);
  const parts = [...bringsOf.values(), ...worth.listed.map((_, r) => partAt(r))];
  const fine = isWhole(addUp([...bringsOf.values()])) && (!listed || (isWhole(addUp(places.map(partAt))) && makeUp() && multiplyOut())) && (!worth.gradient || parts.every(agrees));
  const what = listed ? plural(places.length, "path") : `${degrees}, the paths of one degree summed in a sweep`;
  found.push([fine, `This page: the numbers that it shows, of ${what},`, `sum to ${goal}${worth.gradient ? ", entry by entry" : ""}`, `do not sum to ${goal}, or disagree`]);
  return found;
};

const showChecks = () => $("checks").replaceChildren(...checksOf().map(([fine, words, yes, no]) => {
  const mark = fine === null ? "○" : fine ? "✓" : "✗";
  const said = fine === null ? "" : fine ? yes : no;
  return element("li", { class: fine === false ? "wrong" : "" }, `${mark} ${words}${said && ` ${said}`}.`);
}));

const showSum = () => {
  const { share, entries } = addUp([...state.visited].map(partAt));
  const known = Boolean(worth.norm) && !Number.isNaN(share), done = state.visited.size === places.length;
  const unit = listed ? plural(places.length, "path") : `${plural(places.length, "degree")}, all paths of a degree together`;
  const whole = known && isWhole({ share, entries });
  const mark = !done || !known ? "" : whole ? ` ✓ this is ${goal}` : ` ✗ this is not ${goal}`;
  const value = known ? `${shown(share)} of ${goal}${worth.number === null ? "" : `, ${shown(share * worth.number)}`}` : "not known here";
  $("sum").textContent = `Visited ${state.visited.size} of ${unit}: ${value}${mark}`;
  $("sum").classList.toggle("wrong", done && known && !whole);
  $("rest").hidden = !worth.norm || done;
  $("rest").textContent = listed ? "visit every path" : "visit every degree";
  $("anew").disabled = state.visited.size < 2;
  $("track").hidden = !known;
  if (known) showTrack(share);
  showEntries(entries);
};

// The sum as a bar that starts at 0; the mark stands at the whole gradient.
const showTrack = (share) => {
  const low = Math.min(0, share), high = Math.max(1, share), at = (x) => `${(100 * (x - low)) / (high - low)}%`;
  const [bar, mark] = $("track").children;
  bar.style.left = at(Math.min(0, share));
  bar.style.width = `${(100 * Math.abs(share)) / (high - low)}%`;
  mark.style.left = at(1);
};

const indexOf = (i) => worth.shape.reduceRight(([at, rest], n) => [[rest % n, ...at], Math.floor(rest / n)], [[], i])[0].join(", ");

const showEntries = (sum) => {
  const part = partAt(placeOf(state.path))?.entries;
  $("entries").hidden = !sum || !part;
  if (!sum || !part) return;
  const done = state.visited.size === places.length;
  const marked = sum.map((x, i) => (!done || Math.abs(x - worth.gradient[i]) <= worth.tolerance * worth.norm ? "" : " ✗"));
  const line = (words, numbers, marks = []) => element("tr", {}, element("th", { scope: "row" }, words), ...numbers.map((x, i) => element("td", {}, shown(x) + (marks[i] ?? ""))));
  const heads = sum.map((_, i) => element("th", { scope: "col" }, worth.shape.length ? `[${indexOf(i)}]` : "the only one"));
  $("entries").replaceChildren(element("table", {},
    element("thead", {}, element("tr", {}, element("th", { scope: "col" }, `entries of ${goal}`), ...heads)),
    element("tbody", {}, line(listed ? "this path" : "its degree", part), line("visited so far", sum, marked), line(goal, worth.gradient))));
};
