"""What figures cost: drawing recorded graphs of many nodes, and the explorer's page.

    python tests/bench/figures.py

Each graph is drawn whole in a fresh process, so the first time includes loading fonts; then
again, with the median of nine.  ``tests/chromium.py`` says how a browser is found; where there
is one, the first paint of a page is the median of five loads.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import chromium

import tinygrad_res as tg
import viz

GOALS = {200: 150, 1000: 1500}


def chain(blocks: int, width: int = 8) -> tuple[tg.Tensor, tg.Tensor]:
    """Return the loss of residual blocks of two weights and their input."""
    rng = np.random.default_rng(0)
    x = h = tg.tensor(rng.standard_normal((2, width)), requires_grad=True, name="x")
    for k in range(1, blocks + 1):
        with tg.scope(f"block{k}"):
            first, second = (
                tg.parameter(0.2 * rng.standard_normal((width, width)), name=f"{name}_{k}")
                for name in "VW"
            )
            h = h + tg.relu(h @ first) @ second
    return h.sum(), x


def milliseconds(work: Callable[[], object]) -> float:
    """Return how long a call takes."""
    start = time.perf_counter()
    work()
    return 1e3 * (time.perf_counter() - start)


def drawn(nodes: int, cap: int) -> None:
    """Print what it takes to draw a loss of some recorded nodes."""
    loss, _ = chain((nodes - 2) // 6)
    count = len(tg.graph(loss).nodes)
    first = milliseconds(lambda: viz.draw(loss, max_nodes=cap).svg)
    again = statistics.median(
        milliseconds(lambda: viz.draw(loss, max_nodes=cap).svg) for _ in range(9)
    )
    whole = "whole" if cap >= count else "folded"
    goal = f"  (goal: {GOALS[nodes]} ms)" if whole == "whole" and nodes in GOALS else ""
    print(f"draw, {count} nodes, {whole:<6} first {first:7.0f} ms, again {again:7.0f} ms{goal}")


def first_paint(browser: chromium.Browser, address: str) -> float:
    """Return the milliseconds from asking for a page to its first paint."""
    page = chromium.Page(browser, address, 1200, 900, dark=False)
    try:
        while True:
            paint = page.run("performance.getEntriesByType('paint')[0]?.startTime ?? null")
            if paint is not None:
                return float(paint)
            time.sleep(0.01)
    finally:
        page.close()


def explored(blocks: int) -> None:
    """Print what a page about a chain of blocks takes."""
    loss, x = chain(blocks)
    paths = tg.paths(loss, x)
    first = milliseconds(lambda: viz.explore(paths))
    pages = []
    again = statistics.median(
        milliseconds(lambda: pages.append(viz.explore(paths))) for _ in range(5)
    )
    size = len(pages[-1].html.encode()) / 1000
    goal = "  (goals: 150 kB, 300 ms)" if blocks == 50 else ""
    paint = ""
    if chromium.program() is not None:
        with tempfile.TemporaryDirectory() as folder, chromium.chromium() as browser:
            address = pages[-1].save(Path(folder) / "page.html").as_uri()
            paints = [first_paint(browser, address) for _ in range(5)]
        paint = f", first paint {statistics.median(paints):.0f} ms"
    print(f"explore, {blocks} blocks: {size:.0f} kB, built in {first:.0f} ms, "
          f"again {again:.0f} ms{paint}{goal}")  # fmt: skip


def main() -> None:
    """Run each line in a process of its own."""
    if len(sys.argv) == 4:
        drawn(int(sys.argv[2]), int(sys.argv[3]))
    elif len(sys.argv) == 3:
        explored(int(sys.argv[2]))
    else:
        lines = [("draw", str(n), str(cap)) for n, cap in ((200, 9999), (1000, 9999), (200, 120),
                                                         (1000, 120), (5000, 120))]  # fmt: skip
        for line in (*lines, ("explore", "3"), ("explore", "50"), ("explore", "600")):
            subprocess.run([sys.executable, __file__, *line], check=True)


if __name__ == "__main__":
    main()
