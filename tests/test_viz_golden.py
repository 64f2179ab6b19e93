"""The figures of the design language, against those that were looked at and found good.

``tests/golden`` holds two files for each figure of the gallery: its DOT source, and its
layout with one item on a line.  A change of either is a change of the picture.  Look at
the new one, then renew the files and commit them with the change::

    RENEW_GOLDEN=1 python -m pytest tests/test_viz_golden.py

The other tests hold for every figure whatever its golden file says: nothing overlaps,
nothing is clipped, no edge runs through a box that it does not belong to, and the
shortcut lies above the axis.
"""

import dataclasses
import itertools
import json
import os
from pathlib import Path

import gallery
import pytest

from viz.layout import Curve, Label, Shape

GOLDEN = Path(__file__).parent / "golden"
PLACES = ("x", "y", "points", "width", "height")


@pytest.fixture(scope="module", params=gallery.GALLERY)
def drawn(request):
    """The name and the figure of each of the gallery's programs."""
    return request.param, gallery.figure(request.param)


def told(layout):
    """Return a layout as JSON, its places rounded to a tenth of a pixel."""
    head = {
        "width": layout.width, "height": layout.height, "title": layout.title,
        "description": layout.description,
    }  # fmt: skip
    items = ",\n".join(json.dumps(plain(item), ensure_ascii=False) for item in layout.items)
    return f'{{"figure": {json.dumps(head, ensure_ascii=False)},\n"items": [\n{items}\n]}}\n'


def plain(item):
    """Return an item as plain data: its kind, its place, and what is not as usual."""
    usual = {Shape: Shape("box", 0, 0, 0, 0, ""), Curve: Curve((), ""), Label: Label((), 0, 0)}
    found = {"kind": type(item).__name__.lower()}
    for name, value in vars(item).items():
        if name == "points":
            found[name] = [[round(x, 1), round(y, 1)] for x, y in value]
        elif name in PLACES or value != getattr(usual[type(item)], name):
            found[name] = round(value, 1) if isinstance(value, float) else value
    return found


def test_the_figure_is_the_golden_one(drawn):
    name, figure = drawn
    found = {".dot": figure.source, ".layout.json": told(figure.layout)}
    if os.environ.get("RENEW_GOLDEN"):
        GOLDEN.mkdir(exist_ok=True)
        for ending, text in found.items():
            (GOLDEN / f"{name}{ending}").write_text(text, encoding="utf-8")
    for ending, text in found.items():
        assert text == (GOLDEN / f"{name}{ending}").read_text(encoding="utf-8")


def test_every_golden_file_belongs_to_a_figure():
    names = {path.name.split(".")[0] for path in GOLDEN.iterdir()}
    assert names == set(gallery.GALLERY)


# Layout


def overlap(a, b, by=0.5):
    return min(a[2], b[2]) - max(a[0], b[0]) > by and min(a[3], b[3]) - max(a[1], b[1]) > by


def points_on(curve, steps=24):
    """Return points along a line or a spline, close to one another."""
    points = curve.points
    if not curve.smooth:
        for (x, y), (u, v) in itertools.pairwise(points):
            yield from (
                (x + (u - x) * t / steps, y + (v - y) * t / steps) for t in range(steps + 1)
            )
        return
    for i in range(0, len(points) - 1, 3):
        a, b, c, d = points[i : i + 4]
        for t in (n / steps for n in range(steps + 1)):
            w = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3)
            yield tuple(
                sum(k * p[axis] for k, p in zip(w, (a, b, c, d), strict=True)) for axis in (0, 1)
            )


def intrusions(layout):
    """Return the edges that run through a shape which they do not join."""
    nodes = [s for s in layout.shapes if s.key and s.style not in ("cluster", "dot")]
    edges = [c for c in layout.curves if c.tail and c.head]
    return [
        (curve.tail, curve.head, shape.key)
        for curve in edges
        for shape in nodes
        if shape.key not in (curve.tail, curve.head)
        and any(
            shape.box[0] + 1 < x < shape.box[2] - 1 and shape.box[1] + 1 < y < shape.box[3] - 1
            for x, y in points_on(curve)
        )
    ]  # fmt: skip


def test_no_two_labels_overlap(drawn):
    labels = drawn[1].layout.labels
    found = [
        (a.text, b.text) for a, b in itertools.combinations(labels, 2) if overlap(a.box, b.box)
    ]
    assert found == []


def test_nothing_leaves_the_canvas(drawn):
    layout = drawn[1].layout
    for item in layout.items:
        left, top, right, bottom = item.box
        assert left >= 0 and top >= 0 and right <= layout.width and bottom <= layout.height, item


def test_no_edge_runs_through_a_shape_of_others(drawn):
    assert intrusions(drawn[1].layout) == []


def test_an_edge_through_a_shape_of_others_is_found():
    layout = gallery.figure("residual_chain_2").layout
    (through,) = [s for s in layout.shapes if s.key == "part 0"]
    line = Curve(((0.0, through.y), (layout.width, through.y)), "plain", tail="a", head="b")
    planted = dataclasses.replace(layout, items=(*layout.items, line))
    assert ("a", "b", "part 0") in intrusions(planted)


@pytest.mark.parametrize("name", gallery.CHAINS)
def test_shortcuts_lie_above_the_axis(name):
    layout = gallery.figure(name).layout
    axis = next(shape.y for shape in layout.shapes if shape.key == "input")
    arcs = [c for c in layout.curves if c.smooth and c.tail and c.style == "identity"]
    assert bool(arcs) == (name != "plain_chain")
    assert all(y < axis for arc in arcs for _, y in arc.points)


@pytest.mark.parametrize("name", gallery.CHAINS)
def test_every_edge_of_a_chain_joins_two_shapes_that_are_there(name):
    layout = gallery.figure(name).layout
    keys = {shape.key for shape in layout.shapes}
    edges = [curve for curve in layout.curves if curve.tail or curve.head]
    assert edges and all({curve.tail, curve.head} <= keys for curve in edges)
