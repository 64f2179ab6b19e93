"""The gallery: every kind of figure, each drawn by one call on what a few lines recorded.

    python notebooks/gallery.py

writes ``gallery.md`` and the pictures in ``gallery/`` anew, beside this file.  A figure is a
function here: its docstring is the heading and what is to be seen, its body the code that the
page shows.  The same code gives the same bytes, so a change in the pictures is a change of
what is drawn.
"""

from __future__ import annotations

import inspect
import textwrap
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import numpy as np

import tinygrad_res as tg
import viz

HERE = Path(__file__).resolve().parent


def numbers(name, *shape):
    """Return an array that depends on its name and shape alone."""
    return np.random.default_rng(list(name.encode())).standard_normal(shape)


def vector(*shape, name="x"):
    return tg.tensor(numbers(name, *shape), requires_grad=True, name=name)


def weight(*shape, name, size=0.4):
    return tg.parameter(size * numbers(name, *shape), name=name)


PREAMBLE = (numbers, vector, weight)

# Numbers


def chain_rule():
    """The chain rule

    Two routes lead from F back to x.  Along a route derivatives multiply, over routes they add.
    """
    x = tg.tensor(0.7, requires_grad=True, name="x")
    m, n = x**2 + 1, tg.sin(x)
    m.name, n.name = "m", "n"
    F = m * n
    F.name = "F"
    return viz.draw(tg.paths(F, x))


def same_factor_twice():
    """One value used twice

    `x * x` is one operation with two edges, one for each operand: both are drawn.
    """
    x = tg.tensor(3.0, requires_grad=True, name="x")
    return viz.draw(tg.graph(x * x))


def last_weight():
    r"""A weight of the last layer: one path

    Every product of a weight and a value is a junction of three: on the way back, what
    stands on the edge to the weight is the value, and on the edge to the value the weight.
    """
    y = tg.tensor(np.abs(numbers("y", 1, 4)), requires_grad=True, name="y_0")
    for n in (1, 2):
        w = tg.parameter(np.abs(numbers(f"w_{n}", 4, 4)), name=f"w_{n}")
        x = y @ w
        y = tg.relu(x)
        x.name, y.name = f"x_{n}", f"y_{n}"
    return viz.draw(tg.paths(y.sum(), w, level="scalar", at=(0, 0)))


def weight_before():
    """A weight of the layer before: one path for each unit it reaches"""
    y = tg.tensor(np.abs(numbers("y", 1, 4)), requires_grad=True, name="y_0")
    ws = [tg.parameter(np.abs(numbers(f"w_{n}", 4, 4)), name=f"w_{n}") for n in (1, 2)]
    for n, w in enumerate(ws, start=1):
        x = y @ w
        y = tg.relu(x)
        x.name, y.name = f"x_{n}", f"y_{n}"
    return viz.draw(tg.paths(y.sum(), ws[0], level="scalar", at=(0, 0)))


def every_neuron():
    """A network number by number

    At scalar level each array element is a circle and each edge one number.  Paths through
    a unit whose relu is off carry nothing; they are faint, and marked.
    """
    x = vector(1, 3)
    h = tg.relu(x @ weight(3, 4, name="W_1"))
    loss = (h @ weight(4, 2, name="W_2")).sum()
    return viz.draw(tg.paths(loss, x, level="scalar"))


def flow_of_numbers():
    """The flow through every neuron"""
    x = vector(1, 3)
    h = tg.relu(x @ weight(3, 3, name="W_1"))
    loss = (h @ weight(3, 2, name="W_2")).sum()
    return viz.draw(tg.paths(loss, x, level="scalar"), widths="flow", labels="none")


def forward_pass():
    """The forward pass as a sum over paths

    Read forward, a path is a number of the input, or a bias, times what it meets.  Paths
    through a dead unit add nothing; the others add up to the output.
    """
    x = vector(1, 2)
    V, b, W = weight(2, 3, name="V"), weight(3, name="b"), weight(3, 1, name="W")
    loss = (tg.relu(x @ V + b) @ W).sum()
    return viz.draw(tg.forward_paths(loss, x))


# Blocks


def residual_block():
    """A residual block

    The shortcut is a path that crosses no weight layer: it is red, and runs above the axis.
    """
    x = vector(2, 4)
    y = x + tg.relu(x @ weight(4, 4, name="W_1")) @ weight(4, 4, name="W_2")
    return viz.draw(tg.paths(y.sum(), x))


def residual_chain():
    """Three residual blocks, and all eight paths

    Below the chain every path has a row of its own, from no weight layer to all six.
    """
    x = h = vector(2, 4)
    for k in (1, 2, 3):
        h = h + tg.relu(h @ weight(4, 4, name=f"V_{k}")) @ weight(4, 4, name=f"W_{k}")
    return viz.draw(tg.paths(h.sum(), x))


def highlighted():
    """Some paths brought out

    A set of paths, one path, or up to four of these with names; the others are faded.
    """
    x = h = vector(2, 4)
    for k in (1, 2, 3):
        h = h + tg.relu(h @ weight(4, 4, name=f"V_{k}")) @ weight(4, 4, name=f"W_{k}")
    p = tg.paths(h.sum(), x)
    some = {"through one block": p.with_degree("weight", 2), "smallest": p.top(8)[-1]}
    return viz.draw(p, highlight=some)


def flow():
    """What each edge carries

    Bands as wide as the square root of what all paths over the edge carry together: with
    a plus where it works for the gradient, with a minus where it works against it.
    """
    x = h = vector(2, 4)
    for k in (1, 2, 3):
        h = h + tg.relu(h @ weight(4, 4, name=f"V_{k}", size=1.0)) @ weight(4, 4, name=f"W_{k}")
    return viz.draw(tg.paths(h.sum(), x), widths="flow")


def deep_chain():
    """Fifty blocks

    Of 2^50 paths one is weight-free.  Beside the blocks: how many paths cross so many weight
    layers, and the exact norm of the gradient that comes through these.
    """
    x = h = vector(2, 8)
    for k in range(1, 51):
        h = h + tg.relu(h @ weight(8, 8, name=f"V_{k}")) @ weight(8, 8, name=f"W_{k}", size=0.1)
    return viz.draw(tg.paths(h.sum(), x))


def very_deep_chain():
    """Six hundred blocks"""
    x = h = vector(2, 4)
    for k in range(1, 601):
        h = h + tg.relu(h @ weight(4, 4, name=f"V_{k}")) @ weight(4, 4, name=f"W_{k}", size=0.02)
    return viz.draw(tg.paths(h.sum(), x))


def plain_chain():
    """A plain chain

    Without shortcuts there is one path, and it crosses every weight layer.
    """
    x = h = vector(2, 4)
    for k in range(1, 6):
        h = tg.tanh(h @ weight(4, 4, name=f"W_{k}"))
    return viz.draw(tg.paths(h.sum(), x))


def pre_activation():
    """Pre-activation blocks

    Normalisation and relu come before the weight layer, so nothing stands on the shortcuts.
    """
    x = h = vector(4, 4)
    for k in (1, 2):
        gamma = tg.parameter(np.ones(4), name=f"γ_{k}")
        beta = tg.parameter(np.zeros(4), name=f"β_{k}")
        h = h + tg.relu(tg.batch_norm(h, gamma, beta)) @ weight(4, 4, name=f"W_{k}")
    return viz.draw(tg.paths(h.sum(), x))


def projection():
    """A projection shortcut

    Where the width changes the shortcut has a weight, and no path is weight-free.
    """
    x = vector(2, 4)
    h = x + tg.relu(x @ weight(4, 4, name="W_1")) @ weight(4, 4, name="W_2")
    inner = tg.relu(h @ weight(4, 6, name="W_3")) @ weight(6, 6, name="W_4")
    return viz.draw(tg.paths((h @ weight(4, 6, name="W_s") + inner).sum(), x))


def attention():
    """Self-attention

    One head: the paths through the queries, the keys and the values, and the shortcut.
    """
    x = vector(3, 4)
    with tg.scope("attention"):
        q, k, v = (x @ weight(4, 4, name=f"W_{c}") for c in "QKV")
        mixed = tg.softmax(q @ k.T / 2, axis=1) @ v
    return viz.draw(tg.paths((x + mixed @ weight(4, 4, name="W_O")).sum(), x))


# Any record


def recorded_graph():
    """Any recorded graph

    Operations with the shapes of their values; scopes are clusters.
    """
    h = vector(2, 4)
    for k in (1, 2):
        with tg.scope(f"block{k}"):
            h = h + tg.relu(h @ weight(4, 4, name=f"W_{k}"))
    return viz.draw(tg.graph(h.mean()))


def dense_block():
    """Concatenation instead of addition

    A DenseNet's layers read all layers before them.  Its shortcuts are slices of a
    concatenation: they move numbers and change none.
    """
    x = vector(2, 4)
    parts = [x]
    for k in (1, 2, 3):
        parts.append(tg.relu(tg.concat(parts, axis=1) @ weight(4 * k, 4, name=f"W_{k}")))
    return viz.draw(tg.paths(tg.concat(parts, axis=1).sum(), x))


def parallel_branches():
    """Branches side by side

    The longest branch stands on the axis, the others in lanes beside it; one without a weight
    layer is above.
    """
    x = vector(2, 4)
    with tg.scope("inception"):
        a = tg.relu(x @ weight(4, 3, name="A"))
        b = tg.relu(tg.relu(x @ weight(4, 3, name="B_1")) @ weight(3, 3, name="B_2"))
        y = tg.concat([a, b, tg.tanh(x)], axis=1)
    return viz.draw(tg.graph(y.sum()))


def two_heads():
    """A transformer block

    Two heads of attention and a network behind them, each beside a shortcut; scopes are frames.
    """
    x = vector(3, 4)
    with tg.scope("attention"):
        heads = []
        for k in (1, 2):
            with tg.scope(f"head{k}"):
                q, key, v = (x @ weight(4, 2, name=f"{c}_{k}") for c in "QKV")
                heads.append(tg.softmax(q @ key.T / 2, axis=1) @ v)
        h = x + tg.concat(heads, axis=1) @ weight(4, 4, name="W_O")
    with tg.scope("mlp"):
        h = h + tg.relu(h @ weight(4, 8, name="W_1")) @ weight(8, 4, name="W_2")
    return viz.draw(tg.graph(h.sum()))


def scope_level():
    """Scopes as steps

    At scope level what happens within a scope is one step.
    """
    x = h = vector(2, 4)
    for k in (1, 2, 3):
        with tg.scope(f"branch{k}"):
            inner = tg.relu(h @ weight(4, 4, name=f"V_{k}")) @ weight(4, 4, name=f"W_{k}")
        h = h + inner
    return viz.draw(tg.paths(h.sum(), x, level="scope"))


def large_record():
    """A record too large to draw

    Above a number of nodes (80, or the `max_nodes` asked for) scopes become boxes, from
    within, those with a shortcut last; and of long rows the middle does.
    """
    h = vector(2, 4)
    for k in range(1, 61):
        with tg.scope(f"block{k}"):
            h = h + tg.relu(h @ weight(4, 4, name=f"V_{k}")) @ weight(4, 4, name=f"W_{k}")
    return viz.draw(tg.graph(h.sum()), max_nodes=20)


# Plots


def activations():
    """Activations and their derivatives

    Where a derivative jumps, open marks are its limits and a filled one is what the engine takes.
    """
    return viz.plot_activations("sigmoid", "tanh", "relu")


def gradient_by_depth():
    """The gradient at each weight layer

    Backward enters on the right.  The shortcuts of the residual net bring it to the first layers.
    """
    losses = {}
    for name, f in {"sigmoid": tg.sigmoid, "relu": tg.relu, "residual": tg.relu}.items():
        h = vector(16, 32)
        for k in range(1, 21):
            inner = f(h @ weight(32, 32, name=f"W_{k}", size=0.18))
            h = h + inner / 20**0.5 if name == "residual" else inner
        losses[name] = (h * h).mean()
    return viz.plot_gradient_norms(losses, of="outputs")


def loss_surface():
    """The loss around a point

    All weights of ten layers move along two random directions, away from those that made what
    the output is compared with; below, along the first direction alone.
    """
    places = np.linspace(-1, 1, 21)
    start, first, second = 0.8 * numbers("weights", 3, 10, 6, 6)
    rows, columns = places[:, None, None, None], places[None, :, None, None]
    surfaces = {}
    for name, kept in {"plain": 0, "residual": 1}.items():
        h = numbers("x", 8, 6)
        for W, D, E in zip(start, first, second):
            h = kept * h + np.tanh(h @ (W + columns * D + rows * E)) / (1 + 2 * kept)
        surfaces[name] = 0.01 + ((h - h[10, 10]) ** 2).mean(axis=(2, 3))
    return viz.plot_surface(surfaces, at=places)


ROOMS: dict[str, tuple[Callable[[], viz.Figure | viz.Plot], ...]] = {
    "Between numbers": (
        chain_rule, same_factor_twice, last_weight, weight_before, every_neuron, flow_of_numbers,
        forward_pass,
    ),
    "Chains of blocks": (
        residual_block, residual_chain, highlighted, flow, deep_chain, very_deep_chain, plain_chain,
        pre_activation, projection, attention,
    ),
    "Any record": (
        recorded_graph, dense_block, parallel_branches, two_heads, scope_level, large_record,
    ),
    "Plots": (activations, gradient_by_depth, loss_surface),
}  # fmt: skip
"""The figures, by what they are of."""

INTRODUCTION = """\
# Gallery

The gradient of a loss is the sum, over all paths back to an input, of the product of the
derivatives on the path. Each figure is one call of `viz.draw` on what the code beside it
recorded; `.save` writes it as SVG, PDF, PNG, TikZ, HTML, DOT or Mermaid. Pictures are light or
dark as your browser prefers. Forward runs left to right in grey, the gradient right to left.

What the pieces of code begin with:
"""
ENDING = """\
## To walk around in

`viz.explore(tg.paths(loss, x)).save("paths.html")` writes a page, for use without a network, in
which each path can be walked, be there 8 of them or 2^600. From a shell, without a line of
drawing code:

```sh
tinygrad-res draw net.py:loss --to x -o paths.svg
tinygrad-res explore net.py:loss --to x
```
"""


def page():
    """Return the page as Markdown."""
    imports = "import numpy as np\nimport tinygrad_res as tg\nimport viz"
    rules = "\n\n\n".join([imports, *(_without_docstring(rule) for rule in PREAMBLE)])
    parts = [INTRODUCTION, f"```python\n{rules}\n```\n"]
    for room, figures in ROOMS.items():
        parts.append(f"## {room}\n")
        parts += [_entry(figure) for figure in figures]
    return "\n".join([*parts, ENDING])


def write(folder):
    """Write the page and the pictures into a folder."""
    (folder / "gallery").mkdir(exist_ok=True)
    for figures in ROOMS.values():
        for figure in figures:
            figure().save(folder / "gallery" / f"{figure.__name__}.svg")
    (folder / "gallery.md").write_text(page(), encoding="utf-8")


def _entry(figure):
    heading, _, words = inspect.getdoc(figure).partition("\n")
    name = figure.__name__
    (title,) = ET.fromstring(figure().svg).findall("{http://www.w3.org/2000/svg}title")
    alternative = str(title.text).replace("[", "(").replace("]", ")")
    pieces = [
        f"### {heading}",
        words.strip(),
        f"![{alternative}](gallery/{name}.svg)",
        f"```python\n{_body(figure)}\n```",
    ]
    return "\n\n".join(filter(None, pieces)) + "\n"


def _body(figure):
    """Return a function's code after its docstring, without the word return."""
    _, _, code = inspect.getsource(figure).split('"""', 2)
    return textwrap.dedent(code.lstrip("\n")).replace("return viz.", "viz.").rstrip()


def _without_docstring(rule):
    source = inspect.getsource(rule).rstrip()
    head, quotes, rest = source.partition('    """')
    return head + rest.partition('"""\n')[2] if quotes else source


if __name__ == "__main__":
    write(HERE)
