// LaTeX of the chosen path: the product that the page shows, where blocks have symbols, and else
// partial derivatives, as path.latex() writes them.

// What the symbols in a product mean, as comments.
const meaningsOf = (factors) => chain.meanings.filter((words) =>
  factors.some((factor) => factor[0] === words[0] && factor.includes(",") === words.split(":")[0].includes(",")))
  .map((words) => `% ${words}`);

const productInLatex = (path) => {
  const factors = factorsOf(path), product = gathered(factors)
    .map(([factor, n]) => (chain.latex[factor] ?? factor) + (n > 1 ? `^{${n}}` : ""));
  return [product.join(" "), ...meaningsOf(factors)].join("\n");
};

// The formula that path.latex() gives: partial derivatives between the nodes that are written.
const partialsOf = (path) => {
  const steps = row.segments.flatMap(({ shape, signs, parallel }, i) =>
    wayAt(shape, path[i]).map((e) => ({ from: signs[shape.edges[e].from], to: signs[shape.edges[e].to], which: parallel[e] })));
  if (!steps.length) return "1";
  const found = data.bar ? [`\\bar{${name(steps[0].from)}}`] : [];
  for (let i = 0, j; i < steps.length; i = j) {
    for (j = i + 1; j < steps.length && steps[j - 1].to < 0;) j++;
    const partial = `\\frac{\\partial ${name(steps[i].from)}}{\\partial ${name(steps[j - 1].to)}}`;
    const which = j === i + 1 ? steps[i].which : 0;
    found.push(which < 0 ? `\\bar{${name(steps[i].to)}}` : which ? `\\left.${partial}\\right|_{${which}}` : partial);
  }
  return found.join("");
};

const latexOf = (path) => (blocks.length ? productInLatex(path) : partialsOf(path));
