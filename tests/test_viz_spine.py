"""The spine: where the boxes and lines of recorded graphs stand."""

import itertools
import random
import sys

import gallery
import numpy as np
import pytest

import tinygrad_res as tg
import viz
from tinygrad_res.measures import Paths
from viz.records.figure import graph_figure
from viz.records.lines import clear, rounded
from viz.records.places import place
from viz.records.scopes import clusters
from viz.records.spine import Link, Site, grid


def weight(*shape, name):
    return tg.parameter(np.random.default_rng(len(name)).standard_normal(shape), name=name)


def vector(*shape, name="x"):
    return tg.tensor(np.ones(shape) * 0.3, requires_grad=True, name=name)


def residual():
    h = vector(2, 4)
    for k in range(3):
        with tg.scope(f"block{k}"):
            inner = tg.relu(h @ weight(4, 4, name=f"V_{k}") + weight(4, name=f"b_{k}"))
            h = h + inner @ weight(4, 4, name=f"W_{k}")
    return h.mean()


def dense(join):
    parts = [vector(2, 4)]
    for k in range(4):
        read = join(parts)
        parts.append(tg.relu(read @ weight(read.shape[1], 4, name=f"W_{k}")))
    return join(parts).sum()


def concatenated(parts):
    return tg.concat(parts, axis=1)


def added(parts):
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total


def projection():
    x = vector(2, 4)
    inner = tg.relu(x @ weight(4, 6, name="W_1")) @ weight(6, 6, name="W_2")
    return (tg.tanh(x @ weight(4, 6, name="W_s")) + inner).sum()


def pre_activation():
    h = vector(4, 4)
    for k in range(2):
        gamma, beta = weight(4, name=f"gamma_{k}"), weight(4, name=f"beta_{k}")
        h = h + tg.relu(tg.batch_norm(h, gamma, beta)) @ weight(4, 4, name=f"W_{k}")
    return h.sum()


def head(x, name):
    with tg.scope(f"head{name}"):
        q, k, v = (x @ weight(4, 2, name=f"{c}_{name}") for c in "QKV")
        return tg.softmax(q @ k.T * 0.5, axis=1) @ v


def attention():
    x = vector(3, 4)
    return (x + head(x, "1") @ weight(2, 4, name="W_O")).sum()


def transformer():
    x = vector(3, 4)
    with tg.scope("attention"):
        h = tg.concat([head(x, "1"), head(x, "2")], axis=1) @ weight(4, 4, name="W_O")
    h = x + h
    with tg.scope("mlp"):
        inner = tg.relu(h @ weight(4, 8, name="W_1")) @ weight(8, 4, name="W_2")
    return (h + inner).mean()


def u_net():
    x = vector(2, 8)
    a = tg.relu(x @ weight(8, 6, name="D_1"))
    b = tg.relu(a @ weight(6, 4, name="D_2"))
    c = tg.relu(
        tg.concat([b, tg.tanh(b @ weight(4, 4, name="B"))], axis=1) @ weight(8, 6, name="U")
    )
    return (tg.concat([a, c], axis=1) @ weight(12, 8, name="V") - x).sum()


def skip_layer():
    x = vector(2, 3)
    h = tg.tanh(x @ weight(3, 5, name="W_1") + weight(5, name="b"))
    return (h @ weight(5, 1, name="W_2") + x @ weight(3, 1, name="V")).sum()


def inception():
    x = vector(2, 4)
    with tg.scope("inception"):
        a = tg.relu(x @ weight(4, 3, name="A"))
        b = tg.relu(tg.relu(x @ weight(4, 3, name="B_1")) @ weight(3, 3, name="B_2"))
        return tg.concat([a, b, tg.tanh(x)], axis=1).sum()


def gates():
    x, h, c = vector(2, 3), vector(2, 4, name="h_0"), vector(2, 4, name="c_0")
    for t in range(2):
        z = tg.concat([x, h], axis=1)
        i, f, o, g = (z @ weight(7, 4, name=f"W_{n}{t}") for n in "ifog")
        c = tg.sigmoid(f) * c + tg.sigmoid(i) * tg.tanh(g)
        h = tg.sigmoid(o) * tg.tanh(c)
    return h.sum()


def shared_weight():
    w, h = weight(4, 4, name="W"), vector(2, 4)
    for _ in range(3):
        h = tg.tanh(h @ w)
    return (h.sum() + (w * w).sum()) * 2.0


def square():
    x = vector(name="x")
    return x * x


def two_inputs():
    x, y = vector(2, 4), vector(2, 4, name="y")
    return ((tg.tanh(x @ weight(4, 4, name="W")) - tg.exp(y) * 0.5) ** 2).mean()


def one_operation():
    return tg.exp(vector(3))


def forty_operations():
    h = vector(2, 4)
    for k in range(8):
        with tg.scope(f"layer{k}"):
            h = h + tg.tanh(h @ weight(4, 4, name=f"W_{k}")) * tg.sigmoid(h)
    return h.sum()


def long_names():
    x = vector(2, 4, name='</script>"\\<b>')
    with tg.scope("a scope with a name that is longer than what it holds"):
        y = tg.exp(x)
    return (y @ weight(4, 4, name="L" * 300)).sum()


FAMILIES = {
    "residual": residual,
    "dense by concatenation": lambda: dense(concatenated),
    "dense by addition": lambda: dense(added),
    "projection": projection,
    "pre-activation": pre_activation,
    "attention": attention,
    "transformer": transformer,
    "U-Net": u_net,
    "skip-layer": skip_layer,
    "inception": inception,
    "gates": gates,
    "shared weight": shared_weight,
    "square": square,
    "two inputs": two_inputs,
    "one operation": one_operation,
    "forty operations": forty_operations,
    "long names": long_names,
}  # fmt: skip


@pytest.fixture(params=FAMILIES)
def layout(request):
    return viz.draw(tg.graph(FAMILIES[request.param]())).layout


def points_on(spline, steps=8):
    """Points along a spline of several pieces, in rows of x and y."""
    corners = np.array(spline)
    t = np.linspace(0, 1, steps)[:, None, None]
    a, b, c, d = corners[:-1:3], corners[1::3], corners[2::3], corners[3::3]
    on = (1 - t) ** 3 * a + 3 * t * (1 - t) ** 2 * b + 3 * t * t * (1 - t) * c + t**3 * d
    return on.reshape(-1, 2)


def enters(points, box, margin):
    """Whether some of the points lie in a box, and deeper than a margin."""
    left, top, right, bottom = box
    x, y = points.T
    across = (left + margin < x) & (x < right - margin)
    return bool((across & (top + margin < y) & (y < bottom - margin)).any())


def overlap(a, b):
    wide, high = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    return wide > 1 and high > 1


def lines_of(layout):
    """The edges of a graph: the curves and points along each."""
    return [(curve, points_on(curve.points)) for curve in layout.curves if curve.tail]


def test_no_edge_crosses_a_box_that_it_does_not_join(layout):
    boxes = {shape.key: shape.box for shape in layout.shapes if shape.key}
    for curve, points in lines_of(layout):
        for key, box in boxes.items():
            assert key in (curve.tail, curve.head) or not enters(points, box, 0.5), key


def test_no_edge_runs_through_words(layout):
    lines = lines_of(layout)
    for label in layout.labels:
        assert not any(enters(points, label.box, 2) for _, points in lines), label.text


def test_no_two_labels_and_no_two_boxes_overlap(layout):
    for a, b in itertools.combinations(layout.labels, 2):
        assert not overlap(a.box, b.box), (a.text, b.text)
    for a, b in itertools.combinations([s for s in layout.shapes if s.key], 2):
        assert not overlap(a.box, b.box), (a.title, b.title)


def test_the_words_of_an_edge_stand_on_no_box(layout):
    boxes = [shape.box for shape in layout.shapes if shape.key]
    words = [label for label in layout.labels if label.size == 11.5]
    assert not any(overlap(label.box, box) for label in words for box in boxes)


def test_frames_lie_apart_or_one_inside_the_other(layout):
    frames = [shape.box for shape in layout.shapes if shape.style == "cluster" and shape.title]
    for outer, inner in itertools.combinations(frames, 2):
        contained = inner[0] > outer[0] and inner[2] < outer[2] and inner[3] < outer[3]
        assert contained or not overlap(outer, inner)


def middles(loss):
    """The middle of each node's box, by its label."""
    found = tg.graph(loss)
    shapes = {s.key: (s.x, s.y) for s in viz.draw(found).layout.shapes if s.key}
    return {node.label: shapes[f"node {node.index}"] for node in found.nodes}


def test_a_shortcut_is_an_arc_above_the_axis():
    figure = viz.draw(residual())
    tops = [s.box[1] for s in figure.layout.shapes if s.style == "operation" and s.key]
    arcs = [
        c
        for c in figure.layout.curves
        if c.style == "identity" and c.tail and c.box[3] - c.box[1] > 1
    ]
    assert len(arcs) == 3
    assert all(arc.box[1] < min(tops) for arc in arcs)


def test_the_longest_path_stands_on_one_line_and_its_parameters_below():
    place_of = middles(tg.relu(vector(2, 4) @ weight(4, 4, name="W")).sum())
    heights = {place_of[name][1] for name in ("x", "matmul", "relu", "sum")}
    assert len(heights) == 1
    assert place_of["W"][1] > max(heights) and place_of["W"][0] == place_of["matmul"][0]


def test_a_branch_with_operations_stands_below_and_a_weight_free_one_above():
    place_of = middles(projection())
    assert place_of["tanh"][1] > place_of["relu"][1]
    place_of = middles(inception())
    assert place_of["tanh"][1] < place_of["concat"][1] < place_of["A"][1]


def test_longer_arcs_run_over_the_shorter_ones_that_they_span():
    figure = viz.draw(dense(concatenated))
    arcs = {(c.head, c.tail): c.box for c in figure.layout.curves
            if c.tail and c.style in ("plain", "identity") and c.box[3] - c.box[1] > 1}  # fmt: skip
    for a, b in itertools.permutations(arcs.values(), 2):
        if a[0] < b[0] and b[2] < a[2]:
            assert a[1] < b[1]


def test_a_shared_parameter_is_drawn_once_with_all_its_edges():
    graph = tg.graph(shared_weight())
    layout = viz.draw(graph).layout
    (number,) = (node.index for node in graph.nodes if node.name == "W")
    back = [c for c in layout.curves if c.head == f"node {number}" and c.style != "forward"]
    assert len(back) == sum(edge.target == number for edge in graph.edges) == 5


def test_nothing_but_python_is_needed(monkeypatch):
    monkeypatch.setitem(sys.modules, "pygraphviz", None)
    monkeypatch.setenv("PATH", "")
    for program in gallery.GALLERY.values():
        drawn = program()
        assert viz.draw(drawn).svg
        if isinstance(drawn, Paths):
            assert viz.explore(drawn).html
    figure = viz.draw(transformer())
    assert len({shape.key for shape in figure.layout.shapes}) > len(tg.graph(transformer()).nodes)


def test_the_same_graph_gives_the_same_picture():
    assert viz.draw(transformer()).svg == viz.draw(transformer()).svg


def test_at_scope_level_what_lies_off_the_paths_is_left_out():
    x = h = vector(2, 4)
    for k in range(2):
        with tg.scope(f"branch{k}"):
            inner = tg.relu(h @ weight(4, 4, name=f"V_{k}"))
        h = h + inner
    layout = viz.draw(tg.paths(h.sum(), x, level="scope")).layout
    titles = {s.title for s in layout.shapes if s.key}
    assert any("branch0" in title for title in titles)
    assert not any("V_0" in title for title in titles)
    assert not any(shape.style == "cluster" for shape in layout.shapes)


def test_the_legend_explains_words_on_edges_only_where_there_are_some():
    def told(figure):
        return [label.text for label in figure.layout.labels if ":" in label.text]

    assert any("f(·)" in line for line in told(viz.draw(residual())))
    assert not any("f(·)" in line for line in told(viz.draw(residual(), labels="none")))
    assert not any("f(·)" in line for line in told(viz.draw(square())))


def test_links_that_run_in_a_circle_are_drawn_too():
    sites = [Site(40, 40) for _ in range(4)]
    links = [Link(0, 1), Link(1, 2), Link(2, 1), Link(2, 3)]
    found = place(sites, links, 3)
    assert len(found.lines) == 4 and all(len(line) >= 2 for line in found.lines)
    assert found.lines[2][0][0] > found.lines[2][-1][0]


def random_graph(seed, n=24):
    """Sites and links of a graph with no order in it."""
    choose = random.Random(seed)
    sites = [Site(choose.uniform(30, 120), 40.0, scope(choose)) if choose.random() < 0.8 else
             Site(22, 22, scope(choose), round=True) for _ in range(n)]  # fmt: skip
    links = [
        Link(choose.randrange(v), v, choose.choice([0.0, 30.0, 90.0]), outside=choose.random() < 0.1)
        for v in range(1, n) for _ in range(choose.choice([1, 1, 2, 3]))
    ]  # fmt: skip
    return sites, links


def scope(choose):
    return tuple("abc"[choose.randrange(3)] for _ in range(choose.randrange(3)))


@pytest.mark.parametrize("seed", range(20))
def test_in_no_graph_a_line_crosses_a_foreign_site(seed):
    sites, links = random_graph(seed)
    found = place(sites, links, len(sites) - 1)
    boxes = [
        (x - w / 2, y - h / 2, x + w / 2, y + h / 2)
        for (x, y), w, h in zip(found.centres, found.widths, found.heights, strict=True)
    ]
    for a, b in itertools.combinations(boxes, 2):
        assert not overlap(a, b)
    for link, line in zip(links, found.lines, strict=True):
        points = points_on(rounded(line, 16.0))
        for v, box in enumerate(boxes):
            assert v in (link.operand, link.output) or not enters(points, box, 0.5)


@pytest.mark.parametrize("seed", range(20))
def test_no_frame_holds_a_site_from_elsewhere(seed):
    sites, links = random_graph(seed)
    on = grid(sites, links, len(sites) - 1)
    inner = dict.fromkeys({s.scope for s in sites}, 0)
    for cluster in clusters(sites, on):
        for v, site in enumerate(sites):
            within = (
                cluster.columns[0] <= on.columns[v] <= cluster.columns[1]
                and cluster.rows[0] <= on.rows[v] <= cluster.rows[1]
            )
            own = site.scope[: len(cluster.scope)] == cluster.scope
            assert own or not within
            inner[site.scope] += within and site.scope == cluster.scope
    assert all(
        found == sum(s.scope == scope for s in sites) for scope, found in inner.items() if scope
    )


def test_flows_written_on_arcs_keep_clear_of_other_arcs_and_of_bands():
    parts = [x := vector(2, 4)]
    for k in range(4):
        parts.append(tg.relu(tg.concat(parts, axis=1) @ weight(4 * k + 4, 4, name=f"W_{k}")))
    p = tg.paths(tg.concat(parts, axis=1).sum(), x)
    layout = viz.draw(p, widths="flow", labels="value").layout
    words = [label for label in layout.labels if label.size == 11.5 and label.text[0] in "+−"]
    lines = lines_of(layout)
    below = min(c.points[0][1] for c in layout.curves if c.style == "rule")
    assert len([label for label in words if label.y < below]) == len(p.edges)
    for label in words:
        assert not any(enters(points, label.box, 1) for _, points in lines), label.text


def test_a_box_is_wide_enough_for_the_ends_of_its_arcs():
    links = [Link(v, v + 1) for v in range(12)] + [Link(0, v) for v in range(2, 13)]
    found = place([Site(40, 40) for _ in range(13)], links, 12)
    starts = sorted(line[0][0] for line in found.lines[12:])
    assert min(b - a for a, b in itertools.pairwise(starts)) >= 8
    assert found.widths[0] > starts[-1] - starts[0]


@pytest.mark.parametrize("several", [3, 9, 40])
def test_what_turns_before_a_site_keeps_clear_of_the_sites_it_comes_from(several):
    sites = [Site(40, 40) for _ in range(several + 1)]
    found = place(sites, [Link(v, several) for v in range(several)], several)
    sides = [x + 20 for x, _ in found.centres[:-1]]
    turns = [x for line in found.lines for x, _ in line[1:-1]]
    assert min(turns) - max(sides) >= 18


def test_what_hangs_meets_the_lower_side_of_its_holder():
    sites = [Site(40, 40), Site(60, 40), *(Site(w, 70, below=1) for w in (200, 20, 50))]
    links = [Link(0, 1), *(Link(v, 1) for v in (2, 3, 4))]
    found = place(sites, links, 1)
    (x, y), width = found.centres[1], found.widths[1]
    for line in found.lines[1:]:
        assert x - width / 2 < line[-1][0] < x + width / 2
        assert line[-1][1] == y + found.heights[1] / 2 < line[0][1]
    assert len({line[0][0] for line in found.lines[1:]}) == 3


def test_words_of_an_arc_step_aside_where_a_higher_arc_rises_through_their_middle():
    links = [Link(v, v + 1) for v in range(7)] + [Link(0, 4, room=40), Link(2, 7)]
    found = place([Site(40, 40) for _ in range(8)], links, 7)
    rising = found.lines[-1][0][0]
    x, _ = found.words[-2]
    assert found.lines[-2][0][0] < rising < found.lines[-2][-1][0]
    assert abs(x - rising) > 20


def test_words_keep_clear_of_lines_that_cross_theirs():
    assert clear((0.0, 100.0), 20.0, [30.0]) == 65.0


def test_a_graph_figure_is_a_layout_of_its_own():
    graph = tg.graph(square())
    assert graph_figure(graph, 10, ()).title == "The graph recorded for multiply (tensor level)"
