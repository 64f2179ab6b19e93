"""Speed, side by side: each row runs both sides in turn, in this one process.

    python tests/bench/compare.py [NAME ...]

prints, for each benchmark, the median time of both sides and the median of the ratios
of neighbouring rounds, which holds when the machine's speed drifts.  The comparison with
PyTorch needs it installed: pip install '.[bench]'.
"""

from __future__ import annotations

import itertools
import os
import statistics
import subprocess
import sys
import timeit
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import tinygrad_res as tg
from tinygrad_res import nets

Work = Callable[[], object]
RNG = np.random.default_rng(0)


def normal(*shape: int, scale: float = 1.0) -> np.ndarray:
    """Return float32 numbers from a normal distribution."""
    return (RNG.standard_normal(shape) * scale).astype(np.float32)


def leaf(array: np.ndarray, device: str, **options: bool) -> tg.Tensor:
    """Return a tensor of ours on a device, with no record of how it came there."""
    return tg.tensor(tg.tensor(array).to(device).data, **options)


def weight(array: np.ndarray, device: str) -> tg.Parameter:
    """Return a parameter of ours on a device."""
    return tg.parameter(leaf(array, device).data)


def small_operations() -> tuple[str, Work, Work, float]:
    """3000 recorded operations on 8 numbers, forward and backward, against PyTorch."""
    import torch

    arrays = [normal(8) for _ in range(3)]
    ours = [tg.tensor(a, requires_grad=True) for a in arrays]
    theirs = [torch.tensor(a, requires_grad=True) for a in arrays]

    def run(leaves: list, tanh: Callable) -> None:
        x, w, b = leaves
        for leaf in leaves:
            leaf.grad = None
        y = x
        for _ in range(1000):
            y = tanh(y * w + b)
        y.sum().backward()

    return "PyTorch", lambda: run(ours, tg.tanh), lambda: run(theirs, torch.tanh), 0.70


def torch_linear(weight: np.ndarray, bias: np.ndarray) -> Any:
    """Return PyTorch's layer with these weights."""
    import torch

    layer = torch.nn.Linear(*weight.shape)
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(weight.T))
        layer.bias.copy_(torch.from_numpy(bias))
    return layer


def mlp(device: str = "cpu") -> tuple[str, Work, Work, float]:
    """An MLP 784-256-256-10 at batch 64: forward, cross-entropy, backward, against PyTorch."""
    import torch
    from torch.nn import functional

    sizes = (784, 256, 256, 10)
    weights = [normal(m, n, scale=m**-0.5) for m, n in itertools.pairwise(sizes)]
    images, labels = normal(64, 784), RNG.integers(0, 10, 64)
    layers = [torch_linear(w, np.zeros(w.shape[1], np.float32)) for w in weights]
    net = torch.nn.Sequential(layers[0], torch.nn.ReLU(), layers[1], torch.nn.ReLU(), layers[2])
    net.to(device)
    x_torch, y_torch = (torch.from_numpy(a).to(device) for a in (images, labels))
    ours = [(weight(w, device), weight(np.zeros(w.shape[1], np.float32), device)) for w in weights]
    x, y = leaf(images, device), leaf(labels, device)

    def run_ours() -> None:
        for layer in ours:
            for p in layer:
                p.grad = None
        h = tg.relu(x @ ours[0][0] + ours[0][1])
        h = tg.relu(h @ ours[1][0] + ours[1][1])
        tg.cross_entropy(h @ ours[2][0] + ours[2][1], y).backward()

    def run_torch() -> None:
        net.zero_grad()
        functional.cross_entropy(net(x_torch), y_torch).backward()

    return "PyTorch", run_ours, run_torch, 0.95


def residual_blocks(device: str = "cpu") -> tuple[str, Work, Work, float]:
    """100 residual blocks h + W'' relu(W' h + b') + b'' of width 64 at batch 32, against PyTorch."""
    import torch

    blocks = [
        [(normal(64, 64, scale=0.01), normal(64, scale=0.01)) for _ in "ab"] for _ in range(100)
    ]
    start = normal(32, 64)
    ours = [[(weight(w, device), weight(b, device)) for w, b in block] for block in blocks]
    theirs = [[torch_linear(w, b).to(device) for w, b in block] for block in blocks]
    x = leaf(start, device, requires_grad=True)
    x_torch = torch.tensor(start, device=device, requires_grad=True)

    def run_ours() -> None:
        h = x
        for (w1, b1), (w2, b2) in ours:
            w1.grad = b1.grad = w2.grad = b2.grad = None
            h = h + (tg.relu(h @ w1 + b1) @ w2 + b2)
        h.sum().backward()

    def run_torch() -> None:
        h = x_torch
        for first, second in theirs:
            for layer in (first, second):
                layer.weight.grad = layer.bias.grad = None
            h = h + second(torch.relu(first(h)))
        h.sum().backward()

    return "PyTorch", run_ours, run_torch, 0.85


def convolution() -> tuple[str, Work, Work, float]:
    """conv2d 3x3 on 32x16x32x32, forward and both gradients, against the textbook's im2col."""
    images, filters, cotangent = (
        normal(32, 16, 32, 32),
        normal(16, 16, 3, 3),
        normal(32, 16, 32, 32),
    )
    x, w = tg.tensor(images, requires_grad=True), tg.parameter(filters)

    def run_ours() -> None:
        x.grad = w.grad = None
        tg.conv2d(x, w, padding=1).backward(cotangent)

    def textbook() -> None:
        n, c, high, wide = images.shape
        padded = np.pad(images, ((0, 0), (0, 0), (1, 1), (1, 1)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(2, 3))
        columns = windows.transpose(0, 2, 3, 1, 4, 5).reshape(n * high * wide, c * 9)
        kernel = filters.reshape(16, -1)
        (columns @ kernel.T).reshape(n, high, wide, 16).transpose(0, 3, 1, 2)
        rows = cotangent.transpose(0, 2, 3, 1).reshape(-1, 16)
        (rows.T @ columns).reshape(filters.shape)
        spread = (rows @ kernel).reshape(n, high, wide, c, 3, 3)
        back = np.zeros_like(padded)
        for i in range(3):
            for j in range(3):
                back[:, :, i : i + high, j : j + wide] += spread[..., i, j].transpose(0, 3, 1, 2)

    return "textbook im2col", run_ours, textbook, 0.40


def graded_gradient() -> tuple[str, Work, Work, float]:
    """gradient_by('weight') on 54 two-layer blocks, against one backward pass of the same."""
    network = nets.residual_mlp(54, rng=np.random.default_rng(0))
    images, labels = normal(64, 64), RNG.integers(0, 10, 64)
    x = tg.tensor(images, requires_grad=True)
    loss = tg.cross_entropy(network(x), labels)
    paths = tg.paths(loss, x)

    def backward() -> None:
        for p in network.parameters():
            p.grad = None
        loss.backward()

    return "backward passes", lambda: paths.gradient_by("weight"), backward, 33.0


BENCHMARKS = (
    small_operations, mlp, residual_blocks, convolution, graded_gradient,
)  # fmt: skip


def compare(ours: Work, theirs: Work, rounds: int = 11) -> tuple[float, float, float]:
    """Return the median times of both, and the median over rounds of their ratio.

    A round runs one side for a tenth of a second, then the other.  Taking turns after
    every single run would measure how the two libraries' idle threads, which wait by
    spinning, slow each other down.
    """

    def median(work: Work) -> float:
        once = timeit.timeit(work, number=1)
        runs = max(3, min(100, int(0.1 / once)))
        times = timeit.repeat(work, number=1, repeat=2 * runs)
        return statistics.median(times[runs:])

    pairs = [(median(ours), median(theirs)) for _ in range(rounds)]
    a, b = zip(*pairs, strict=True)
    return statistics.median(a), statistics.median(b), statistics.median(x / y for x, y in pairs)


def count_by_600() -> float:
    """Return the seconds that counting 2^600 paths by weight layers takes, exactness checked."""
    network = nets.residual_mlp(600, width=4, inputs=4)
    x = tg.tensor(normal(2, 4), requires_grad=True)
    loss = network(x).sum()

    def count() -> None:
        counts = tg.paths(loss, x).count_by("weight")
        assert sum(counts.values()) == 2**600

    return statistics.median(timeit.repeat(count, number=1, repeat=5))


def import_overhead() -> float:
    """Return the milliseconds that importing the package adds to importing NumPy.

    Both from bytecode, as pip leaves it: the first run, which compiles, does not count.
    """
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}

    def seconds(code: str) -> float:
        probe = f"import time; t = time.perf_counter(); {code}; print(time.perf_counter() - t)"
        return float(subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True,
                                    check=True, cwd=Path(__file__).parents[2], env=environment).stdout)  # fmt: skip

    pairs = [(seconds("import tinygrad_res"), seconds("import numpy")) for _ in range(10)]
    return 1000 * statistics.median(a - b for a, b in pairs[1:])


def heading() -> str:
    """Return the first line of the table."""
    return f"{'benchmark':<18} {'ours':>10} {'other':>10} {'ratio':>7} {'goal':>6}  against"


def row(name: str, found: tuple[float, float, float], goal: str, other: str) -> str:
    """Return the line of one benchmark: both times and their ratio."""
    a, b, ratio = found
    return f"{name:<18} {1e3 * a:>7.2f} ms {1e3 * b:>7.2f} ms {ratio:>7.2f} {goal:>6}  {other}"


def main(names: list[str]) -> None:
    """Run the benchmarks called ``names``, or all of them, and print a table."""
    print(heading())
    for benchmark in BENCHMARKS:
        if names and benchmark.__name__ not in names:
            continue
        try:
            other, ours, theirs, goal = benchmark()
        except ModuleNotFoundError as error:
            sys.exit(f"{error}: the comparison needs it, pip install '.[bench]'")
        print(row(benchmark.__name__, compare(ours, theirs), f"{goal:.2f}", other))
    if not names or "count_by_600" in names:
        print(f"{'count_by_600':<18} {1e3 * count_by_600():>7.0f} ms  (goal: under 500 ms)")
    if not names or "import" in names:
        print(f"{'import':<18} {import_overhead():>7.0f} ms over NumPy  (goal: at most 60 ms)")


if __name__ == "__main__":
    main(sys.argv[1:])
