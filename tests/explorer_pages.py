"""What the explorer is tested with: sets of paths, hostile names, pages open in Chromium.

A page is quiet if it threw nothing, said nothing on the console and asked nothing of the network.
"""

import contextlib
import json
import re

import chromium
import numpy as np

import tinygrad_res as tg
import viz

EVIL = [
    '"</script><script>alert(1)</script>',
    "<!--<script>",
    "<b>bold</b><img src=x onerror=alert(1)>",
    "back\\slash ' \" ${1} {{data}} \\frac{1}{2} %$&_#",
    "line\nbreak\u2028and\ttab\x00\x1b",
    "z" * 300,
    "权重矩阵🙂\ud800",
]


def residual(blocks, width=4, name="W"):
    rng = np.random.default_rng(blocks)
    x = tg.tensor(rng.standard_normal((2, width)), requires_grad=True, name="x")
    h = x
    for k in range(1, blocks + 1):
        first, second = (
            tg.parameter(rng.standard_normal((width, width)) * 0.3, name=f"{name}_{2 * k + i}")
            for i in (-1, 0)
        )
        h = h + tg.relu(h @ first) @ second
    return tg.paths(h.sum(), x)


def dense(level="tensor"):
    rng = np.random.default_rng(0)
    x = tg.tensor(rng.standard_normal((2, 3)), requires_grad=True, name="x")
    found = [x]
    for k in range(3):
        with tg.scope(f"layer{k}"):
            h = tg.concat(found, axis=1)
            found.append(
                tg.relu(h @ tg.parameter(rng.standard_normal((h.shape[1], 3)), name=f"W_{k}"))
            )
    return tg.paths((found[-1] * found[-2]).sum(), x, level=level)


def given_cotangent():
    rng = np.random.default_rng(1)
    x = tg.tensor(rng.standard_normal(2), requires_grad=True, name="x")
    y = tg.tanh(x @ tg.parameter(rng.standard_normal((2, 2)), name="W")) + x
    return tg.paths(y, x, level="scalar", cotangent=[1.0, -2.0])


def windowed():
    rng = np.random.default_rng(2)
    x = tg.tensor(rng.standard_normal((2, 3)), requires_grad=True, name="x")
    first = h = x @ tg.parameter(rng.standard_normal((3, 3)), name="W_in")
    for k in range(3):
        h = h + tg.tanh(h @ tg.parameter(rng.standard_normal((3, 3)), name=f"W_{k}"))
    loss = (h @ tg.parameter(rng.standard_normal((3, 1)), name="W_out")).sum()
    return tg.paths(loss, x, start=h, end=first)


def plain():
    rng = np.random.default_rng(4)
    x = h = tg.tensor(rng.standard_normal((2, 3)), requires_grad=True, name="x")
    for k in range(3):
        h = tg.tanh(h @ tg.parameter(rng.standard_normal((3, 3)), name=f"W_{k}"))
    return tg.paths(h.sum(), x)


def float32():
    rng = np.random.default_rng(5)
    x = h = tg.tensor(rng.standard_normal((2, 3)).astype("f"), requires_grad=True, name="x")
    for k in range(3):
        h = h + tg.relu(h @ tg.parameter(rng.standard_normal((3, 3)).astype("f"), name=f"W_{k}"))
    return tg.paths(h.sum(), x)


def attention():
    """A block of a transformer: ten ways through its attention, two around its network."""
    rng = np.random.default_rng(6)

    def weight(name, *shape):
        return tg.parameter(rng.standard_normal(shape) * 0.4, name=name)

    x = tg.tensor(rng.standard_normal((4, 6)), requires_grad=True, name="x")
    q, k, v = (x @ weight(f"W_{c}", 6, 6) for c in "qkv")
    scores = tg.exp(q @ k.T / 3)
    h = x + scores / tg.sum(scores, axis=-1, keepdims=True) @ v @ weight("W_o", 6, 6)
    return tg.paths((h + tg.tanh(h @ weight("W_1", 6, 8)) @ weight("W_2", 8, 6)).sum(), x)


def squared():
    """Two edges between the same nodes, of an array with a cotangent."""
    x = tg.tensor([1.0, -2.0], requires_grad=True, name="x")
    h = x + tg.tanh(x)
    return tg.paths(h * h, x, cotangent=[1.0, 0.5])


def one_entry():
    rng = np.random.default_rng(7)
    x = tg.tensor(rng.standard_normal((2, 3)), requires_grad=True, name="x")
    h = x + tg.tanh(x @ tg.parameter(rng.standard_normal((3, 3)), name="W"))
    return tg.paths((h * h).sum(), x, level="scalar", at=(1, 2))


def several_ways():
    """Two blocks with five ways each, more than are drawn one by one, and a narrowed one."""
    rng = np.random.default_rng(3)

    def inner(h):
        return h + tg.relu(h @ tg.parameter(rng.standard_normal((3, 3)), name="V"))

    x = tg.tensor(np.ones((2, 3)), requires_grad=True, name="x")
    h = tg.tanh(x + inner(inner(x)))
    return tg.paths((h + inner(inner(h))).sum(), x)


SETS = {
    "3 blocks": lambda: residual(3),
    "50 blocks": lambda: residual(50),
    "600 blocks": lambda: residual(600, 2),
    "dense": dense,
    "scalar": lambda: dense("scalar"),
    "cotangent": given_cotangent,
    "window": windowed,
    "one degree": lambda: residual(6).with_degree("weight", 4),
    "several ways": several_ways,
    "scope": lambda: dense("scope"),
    "plain": plain,
    "float32": float32,
    "attention": attention,
    "squared": squared,
    "one entry": one_entry,
}  # fmt: skip


@contextlib.contextmanager
def pages(browser, folder):
    """Give a function that opens the page of a set; in the end, check that all were quiet."""
    opened = []

    def show(paths, width=1200, height=900, dark=False, fragment="", touched=str):
        file = folder / f"{len(opened)}.html"
        file.write_text(touched(viz.explore(paths).html), encoding="utf-8")
        opened.append(chromium.Page(browser, f"{file.as_uri()}{fragment}", width, height, dark))
        return opened[-1]

    yield show
    for page in opened:
        assert page.trouble == []
        page.close()


DATA = re.compile(r'(<script type="application/json"[^>]*>)(.*?)(</script>)', re.S)


def data(page_html):
    """Return what a page is told."""
    return json.loads(DATA.search(page_html)[2])


def told(page_html, change):
    """Return the page with what it is told changed."""
    known = data(page_html)
    change(known)
    words = json.dumps(known).replace("<", "\\u003c")
    return DATA.sub(lambda found: found[1] + words + found[3], page_html)


def text(page, name):
    """Return what an element says."""
    return page.run(f'document.querySelector("[id$=-{name}]").textContent')


def texts(page, selector):
    """Return what each of some elements says."""
    return page.run(
        f"[...document.querySelectorAll({json.dumps(selector)})].map((e) => e.textContent)"
    )


def click(page, name):
    """Press a button of the page."""
    page.run(f'document.querySelector("[id$=-{name}]").click()')


def enter(page, name, value, event="change"):
    """Type into a field of the page."""
    page.run(
        f'(() => {{ const box = document.querySelector("[id$=-{name}]"); '
        f'box.value = {json.dumps(value)}; box.dispatchEvent(new Event("{event}")); }})()'
    )
