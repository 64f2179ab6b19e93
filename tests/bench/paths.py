"""What questions about paths cost, and how the cost grows with blocks, width and k.

    python tests/bench/paths.py [NAME ...]

prints one table per question.  The goals hold on a machine with two cores; medians of
several runs, the two sides of a comparison in turn.
"""

from __future__ import annotations

import itertools
import statistics
import sys
import time
import timeit
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import networkx as nx
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import tinygrad_res as tg
from tinygrad_res import data, nets
from tinygrad_res.report import train


def median(work: Callable[[], object], repeat: int = 5) -> float:
    """Return the median seconds of one run."""
    return statistics.median(timeit.repeat(work, number=1, repeat=repeat))


def chain(blocks: int, width: int, batch: int = 1) -> tuple[tg.Tensor, tg.Tensor]:
    """Return input and loss of a residual MLP of two-layer blocks."""
    rng = np.random.default_rng(0)
    network = nets.residual_mlp(blocks, inputs=width, width=width, rng=rng)
    x = tg.tensor(rng.standard_normal((batch, width)), requires_grad=True, name="x")
    return x, network(x).sum()


def trained(blocks: int = 24) -> tuple[tg.Tensor, tg.Tensor]:
    """Return one digit and the loss of a residual MLP of width 64 trained on digits."""
    digits = data.load("digits", seed=0)
    network = nets.residual_mlp(blocks, rng=np.random.default_rng(0))
    train(network, digits, steps=100)
    x = tg.tensor(digits.test_x[:1], requires_grad=True, name="x")
    return x, tg.cross_entropy(network(x), digits.test_y[:1])


def line(what: str, seconds: float, goal: str = "") -> None:
    """Print one row: what was asked, how long it took, and the goal."""
    print(f"  {what:<44} {1e3 * seconds:>10.1f} ms  {goal}")


def enumeration() -> None:
    """Listing paths one after the other, against networkx."""
    print("enumeration, per path")
    for blocks in (6, 10, 14):
        x, loss = chain(blocks, 2)
        p = tg.paths(loss, x)
        graph = p.graph.to_networkx()
        ends = p.output.index, p.inputs[0].index

        def ours(p: tg.Paths = p) -> int:
            return sum(1 for _ in p)

        def theirs(graph: nx.MultiDiGraph = graph, ends: tuple[int, int] = ends) -> int:
            return sum(1 for _ in nx.all_simple_edge_paths(graph, *ends))

        assert ours() == theirs() == 2**blocks
        rounds = [(median(ours, 1), median(theirs, 1)) for _ in range(3)]
        a, b = (statistics.median(side) / 2**blocks for side in zip(*rounds, strict=True))
        ratio = statistics.median(y / x for x, y in rounds)
        print(f"  {blocks:>3} blocks: {1e6 * a:.2f} us, networkx {1e6 * b:.2f} us, "
              f"{ratio:.1f} times faster  (goal: 10)")  # fmt: skip


def numbering() -> None:
    """Path number r of 2^600, and the count by weight layers."""
    print("2^600 paths")
    x, loss = chain(600, 2)

    def unrank() -> None:
        assert tg.paths(graph, x)[2**599 + 12345].degree() > 0

    graph = tg.graph(loss)
    line(
        "count_by('weight'), from the loss",
        median(lambda: tg.paths(loss, x).count_by()),
        "(goal: 200 ms)",
    )
    line("p[r], tables included", median(unrank), "(goal: 20 ms)")


def neurons() -> None:
    """Scalar level: a trained residual MLP of 24 blocks of width 64, one digit."""
    x, loss = trained()
    print("scalar level, 24 blocks of width 64, trained, one digit")
    begun = time.perf_counter()
    p = tg.paths(loss, x, level="scalar")
    line(f"expansion, {len(p.graph.edges)} edges", time.perf_counter() - begun)
    line("count, exact", median(lambda: fresh(p).count(), 3))
    line("count_by('weight')", median(lambda: fresh(p).count_by("weight"), 3))
    line("gradient", median(lambda: fresh(p).gradient(), 3))
    line("gradient_by('weight')", median(lambda: fresh(p).gradient_by("weight"), 3))
    for k in (1, 10, 100, 1000):
        line(
            f"top({k})",
            median(lambda k=k: fresh(p).top(k), 3),
            "(goal: 2000 ms)" if k == 100 else "",
        )
    line("entropy", median(lambda: fresh(p).entropy(), 3), "(goal: 1000 ms)")
    line("absolute_mass", median(lambda: fresh(p).absolute_mass(), 3), "(goal: 1000 ms)")
    line("sample(1000)", median(lambda: fresh(p).sample(1000), 3))


def fresh(p: tg.Paths) -> tg.Paths:
    """Return the same set with none of its tables."""
    return type(p)(p.frame)


def growth() -> None:
    """How top(100), entropy and the expansion grow with blocks and width."""
    print("growth, scalar level, one sample")
    print(
        f"  {'blocks':>6} {'width':>6} {'edges':>10} {'expand':>9} {'top(100)':>9} {'entropy':>9}"
    )
    for blocks, width in [(6, 64), (12, 64), (24, 64), (48, 64), (24, 16), (24, 32), (24, 128)]:
        x, loss = chain(blocks, width)
        begun = time.perf_counter()
        p = tg.paths(loss, x, level="scalar")
        times = [time.perf_counter() - begun]
        times += [
            median(lambda p=p: fresh(p).top(100), 3),
            median(lambda p=p: fresh(p).entropy(), 3),
        ]
        shown = " ".join(f"{1e3 * t:>6.0f} ms" for t in times)
        print(f"  {blocks:>6} {width:>6} {len(p.graph.edges):>10} {shown}")


def graded() -> None:
    """The gradient by weight layers, in backward passes, against the live degrees."""
    print("gradient_by('weight') of the body, batch 32, width 64")
    for blocks in (6, 14, 27, 54, 108):
        x, loss = chain(blocks, 64, batch=32)
        p = tg.paths(loss, x)
        cost = p.cost("weight")
        plain = p.with_degree("weight", 0)
        times = [
            (median(lambda p=p: p.gradient_by("weight"), 1), median(lambda p=p: p.gradient(), 1))
            for _ in range(9)
        ]
        ratio = statistics.median(a / b for a, b in times)
        assert plain.count() <= 1
        print(f"  {blocks:>4} blocks: {ratio:>6.1f} passes; live degrees on average "
              f"{cost.passes:.1f}  (goal: at most 1.2 times these)")  # fmt: skip


def million() -> None:
    """A million scalar edges: 50 products with matrices of 140 x 140, one sample."""
    x = h = tg.tensor(np.ones((1, 140)), requires_grad=True, name="x")
    for _ in range(50):
        h = h @ tg.parameter(np.full((140, 140), 0.01))
    loss = h.sum()
    p = tg.paths(loss, x, level="scalar")
    seconds = median(lambda: tg.paths(loss, x, level="scalar"), 3)
    tracemalloc.start()
    tg.paths(loss, x, level="scalar")
    peak = tracemalloc.get_traced_memory()[1] / 1e6
    tracemalloc.stop()
    print("expansion of a large graph")
    line(
        f"{len(p.graph.edges)} edges, peak {peak:.0f} MB", seconds, "(goal: a few seconds, 500 MB)"
    )


QUESTIONS = (enumeration, numbering, graded, neurons, million, growth)


def main(names: list[str]) -> None:
    """Answer the questions called ``names``, or all of them."""
    unknown = set(names) - {question.__name__ for question in QUESTIONS}
    if unknown:
        sys.exit(
            f"unknown: {', '.join(unknown)}; there are {', '.join(q.__name__ for q in QUESTIONS)}"
        )
    for question, more in itertools.zip_longest(QUESTIONS, [True] * (len(QUESTIONS) - 1)):
        if not names or question.__name__ in names:
            question()
            if more:
                print()


if __name__ == "__main__":
    main(sys.argv[1:])
