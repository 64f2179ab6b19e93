// Words: numbers, names and products as text.  A run is [text, "sub", "sup" or "i", ...].
// Whatever a user named is only ever set as text.

const THIN = "\u2009";
const raised = (n) => String(n).replace(/[-0-9]/g, (c) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[c] ?? "⁻");

const grouped = (n) => {
  const digits = String(n);
  if (digits.length <= 24) return digits.replace(/\B(?=(\d{3})+$)/g, THIN);
  const bits = n.toString(2);
  if (/^10*$/.test(bits)) return `2${raised(bits.length - 1)}`;
  return `${digits[0]}.${digits.slice(1, 3)}${THIN}·${THIN}10${raised(digits.length - 1)}`;
};

// One of many neighbouring numbers: of a long one the end, where they differ.
const ending = (n) => (String(n).length > 24 ? `…${THIN}${grouped(BigInt(String(n).slice(-12)) + 10n ** 12n).slice(2)}` : grouped(n));

const shown = (x) => {
  if (x === null || x === undefined) return "not finite";
  if (!x) return "0";
  if (Number.isInteger(x) && Math.abs(x) < 1000) return String(x).replace("-", "−");
  const [digits, power] = (Math.abs(x) < 1e-4 ? x.toExponential(2) : x.toPrecision(3)).split("e");
  return (digits + (power ? `${THIN}·${THIN}10${raised(Number(power))}` : "")).replace("-", "−");
};

// Factors multiplied beyond the range of numbers: [digits, power of ten].
const multiplied = (factors) => factors.reduce(([digits, power], factor) => {
  const product = digits * factor;
  if (!product || !Number.isFinite(product)) return [product, 0];
  const more = Math.floor(Math.log10(Math.abs(product)));
  return [product / 10 ** more, power + more];
}, [1, 0]);

const asNumber = ([digits, power]) => Number(`${digits}e${power}`);

const shownFar = ([digits, power]) => {
  const x = asNumber([digits, power]);
  return digits && (!x || !Number.isFinite(x)) ? `${shown(digits)}${THIN}·${THIN}10${raised(power)}` : shown(x);
};

// A function that remembers what it found.
const remembered = (find) => {
  const found = new Map();
  return (key) => (found.has(key) ? found : found.set(key, find(key))).get(key);
};

const plural = (n, word) => `${n} ${word}${Number(n) === 1 ? "" : "s"}`;

const layers = (k) => (k ? plural(k, "weight layer") : "no weight layer");

// A name as mathematics: letters by themselves italic, what follows an underscore lowered.
const runsOf = (name) => {
  if (!isMaths(name)) return [[name]];
  const [, head, low] = /^(.*?)(?:_(\{[^{}_]*\}|[A-Za-z0-9]+))?$/.exec(name.replace(/'$/, "′"));
  return [...lettersOf(head), ...lettersOf((low ?? "").replace(/[{}]/g, ""), "sub")];
};

const lettersOf = (words, ...kinds) => words.split(/(?<![A-Za-z])([A-Za-zα-ωΑ-Ω])(?![A-Za-z])/)
  .flatMap((piece, i) => (piece ? [i % 2 ? [piece, ...kinds, "i"] : [piece, ...kinds]] : []));

// Equal factors in a row become one with an exponent.
const gathered = (factors) => factors.reduce((found, factor) => {
  if (found.length && found.at(-1)[0] === factor) found.at(-1)[1]++;
  else found.push([factor, 1]);
  return found;
}, []);

// The first of many factors end in dots.
const productRuns = (factors, most = Infinity) => {
  const all = gathered(factors), found = all.slice(0, most).flatMap(([factor, n], i) => [
    ...(i ? [[" · "]] : []), ...runsOf(factor), ...(n > 1 ? [[String(n), "sup"]] : []),
  ]);
  return all.length > most ? [...found, [" · …"]] : found;
};

// A sentence as runs, a tag of templates: what is given as runs stays as it is.
const worded = (parts, ...given) => parts.flatMap((part, i) => [
  ...(part ? [[part]] : []), ...(i === given.length ? [] : Array.isArray(given[i]) ? given[i] : [[String(given[i])]]),
]);

const productText = (factors) => gathered(factors)
  .map(([factor, n]) => factor.replace(/[{}]/g, "") + (n > 1 ? `^${n}` : "")).join(" · ");

const element = (tag, attributes = {}, ...children) => {
  const made = document.createElement(tag);
  Object.entries(attributes).forEach(([name, value]) => made.setAttribute(name, value));
  made.append(...children);
  return made;
};

// Words for those who hear the page.
const unseen = (words) => element("span", { class: "unseen" }, words);

// Runs as nodes of the page.
const written = (runs) => runs.map(([words, ...kinds]) => kinds.reduceRight((inner, kind) => element(kind, {}, inner), words));

const SVG = "http://www.w3.org/2000/svg";

const drawn = (tag, attributes, ...children) => {
  const made = document.createElementNS(SVG, tag);
  Object.entries(attributes).forEach(([name, value]) => made.setAttribute(name, value));
  made.append(...children);
  return made;
};

// Write runs into a text of the picture, in place of what it says.
const rewrite = (label, runs) => {
  const size = Number(label.getAttribute("font-size"));
  let low = false;
  label.replaceChildren(...runs.map(([words, ...kinds]) => {
    const part = drawn("tspan", {}, words), sub = kinds.includes("sub");
    if (sub !== low) part.setAttribute("dy", (low ? -0.26 : 0.26) * size);
    if (sub) part.setAttribute("font-size", 0.72 * size);
    if (kinds.includes("i")) part.setAttribute("font-style", "italic");
    low = sub;
    return part;
  }));
};
