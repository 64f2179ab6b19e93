"""Training steps beside PyTorch's: time, how it grows with depth, and memory.

    python tests/bench/training.py [--threads N]

A step is forward, cross-entropy, backward and an update by SGD with momentum; both sides
run the same network from the same kind of weights, in turn, in this one process.  Memory is
what arrays hold at the peak of a step beyond what they hold between steps, against the
activations that PyTorch saves for its backward pass.  With N threads for each side's matrix
products the ratios hold on a machine that others use as well; without, both take what they
take by themselves.  A ratio is the median of those of neighbouring rounds, which hold while the
machine's speed drifts, so it is not quite the quotient of the medians beside it; growth is by
how much a step takes longer than that of the network above, one figure for each side.  PyTorch: pip install '.[bench]'.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import sys
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import torch
from threadpoolctl import threadpool_limits
from torch.nn import functional

import tinygrad_res as tg
from tinygrad_res import nets

RNG = np.random.default_rng(0)
LR, MOMENTUM = 1e-3, 0.9
Step = Callable[[], object]


class TorchBlock(torch.nn.Module):
    """relu(shortcut(x) + branch(x)), the shortcut of option A, or no shortcut at all."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.stride, self.extra = stride, outputs - inputs
        self.branch = torch.nn.Sequential(
            torch.nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False),
            torch.nn.BatchNorm2d(outputs), torch.nn.ReLU(),
            torch.nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False), torch.nn.BatchNorm2d(outputs),
        )  # fmt: skip

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the block's output."""
        way = x
        if self.extra:
            half = self.extra // 2
            way = functional.pad(
                x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, half, self.extra - half)
            )
        return functional.relu(way + self.branch(x))


def torch_resnet(depth: int, channels: int) -> torch.nn.Module:
    """Return PyTorch's side of ``nets.resnet``."""
    parts: list[torch.nn.Module] = [
        torch.nn.Conv2d(channels, 16, 3, 1, 1, bias=False), torch.nn.BatchNorm2d(16),
        torch.nn.ReLU(),
    ]  # fmt: skip
    width = 16
    for stage in (16, 32, 64):
        for i in range((depth - 2) // 6):
            parts.append(TorchBlock(width, stage, 2 if stage > 16 and i == 0 else 1))
            width = stage
    parts += [torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(64, 10)]
    return torch.nn.Sequential(*parts)


class TorchMLPBlock(torch.nn.Module):
    """x + W'' relu(W' x)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = torch.nn.Linear(width, width), torch.nn.Linear(width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the block's output."""
        return x + self.second(functional.relu(self.first(x)))


def torch_mlp(blocks: int) -> torch.nn.Module:
    """Return PyTorch's side of ``nets.residual_mlp``."""
    body = [TorchMLPBlock(64) for _ in range(blocks)]
    return torch.nn.Sequential(
        torch.nn.Flatten(), torch.nn.Linear(64, 64), torch.nn.ReLU(), *body, torch.nn.Linear(64, 10)
    )


def our_step(network: Any, images: np.ndarray, labels: np.ndarray) -> Step:
    """Return a training step of ours."""
    optimizer = tg.optim.SGD(network.parameters(), lr=LR, momentum=MOMENTUM)

    def step() -> None:
        loss = tg.cross_entropy(network(tg.tensor(images)), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step


def torch_step(network: torch.nn.Module, images: np.ndarray, labels: np.ndarray) -> Step:
    """Return the same step of PyTorch's."""
    optimizer = torch.optim.SGD(network.parameters(), lr=LR, momentum=MOMENTUM)
    x, y = torch.from_numpy(images), torch.from_numpy(labels)

    def step() -> None:
        loss = functional.cross_entropy(network(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step


def drawn(batch: int, *shape: int) -> tuple[np.ndarray, np.ndarray]:
    """Return float32 images and labels."""
    images = RNG.standard_normal((batch, *shape)).astype(np.float32)
    return images, RNG.integers(0, 10, batch)


def compare(
    name: str, ours: Step, theirs: Step, goal: float, above: tuple[float, float] | None,
    rounds: int = 9,
) -> tuple[float, float]:  # fmt: skip
    """Print and return the medians of both sides, in turn, beside those of the network above."""
    for step in (ours, theirs) * 2:
        step()
    times = [(_seconds(ours), _seconds(theirs)) for _ in range(rounds)]
    mine, other = (statistics.median(column) for column in zip(*times, strict=True))
    ratio = statistics.median(a / b for a, b in times)
    growth = f"   x {mine / above[0]:.2f}, x {other / above[1]:.2f}" if above else ""
    print(
        f"{name:<34}{1e3 * mine:9.2f} ms{1e3 * other:9.2f} ms{ratio:8.2f}{goal:7.2f}{growth}",
        flush=True,
    )
    return mine, other


def _seconds(step: Step) -> float:
    gc.collect()
    repetitions = 1
    while True:
        start = time.perf_counter()
        for _ in range(repetitions):
            step()
        passed = time.perf_counter() - start
        if passed > 0.1:
            return passed / repetitions
        repetitions = max(2 * repetitions, int(repetitions * 0.12 / max(passed, 1e-6)))


def our_peak(step: Step) -> int:
    """Return the bytes that arrays hold at the peak of a step, beyond those between steps."""
    step()
    step()
    gc.collect()
    tracemalloc.start()
    try:
        step()
        gc.collect()
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        step()
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


def torch_saved(network: torch.nn.Module, images: np.ndarray, labels: np.ndarray) -> int:
    """Return the bytes of activations that PyTorch saves for backward, parameters left out."""
    known = {p.untyped_storage().data_ptr() for p in network.parameters()}
    saved: dict[int, int] = {}

    def pack(x: torch.Tensor) -> torch.Tensor:
        storage = x.untyped_storage()
        if storage.data_ptr() not in known:
            saved[storage.data_ptr()] = storage.nbytes()
        return x

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda x: x):
        loss = functional.cross_entropy(network(torch.from_numpy(images)), torch.from_numpy(labels))
    del loss
    return sum(saved.values())


def main() -> None:
    """Print the comparison."""
    parser = argparse.ArgumentParser(description="Training steps beside PyTorch's.")
    parser.add_argument("--threads", type=int, help="for each side (default: the libraries' own)")
    threads = parser.parse_args().threads
    if threads is not None:
        torch.set_num_threads(threads)
    with threadpool_limits(threads):
        compare_all()


def compare_all() -> None:
    """Print times by network and depth, and memory."""
    print(f"{'training step':<34}{'ours':>12}{'PyTorch':>12}{'ratio':>8}{'goal':>7}   growth")
    above = None
    for blocks in (3, 12, 48):
        data = drawn(64, 1, 8, 8)
        above = compare(
            f"residual MLP, {blocks} blocks, 64 x 8x8",
            our_step(nets.residual_mlp(blocks), *data), torch_step(torch_mlp(blocks), *data),
            0.9, above,
        )  # fmt: skip
    for batch, shape in ((64, (1, 8, 8)), (32, (3, 32, 32))):
        above = None
        for depth in (20, 32, 56):
            data = drawn(batch, *shape)
            above = compare(
                f"ResNet-{depth}, {batch} x {shape[1]}x{shape[2]}",
                our_step(nets.resnet(depth, shape[0]), *data),
                torch_step(torch_resnet(depth, shape[0]), *data),
                3.0, above, rounds=5,
            )  # fmt: skip
    for batch, shape in ((64, (1, 8, 8)), (32, (3, 32, 32))):
        data = drawn(batch, *shape)
        peak = our_peak(our_step(nets.resnet(20, shape[0]), *data))
        saved = torch_saved(torch_resnet(20, shape[0]), *data)
        print(
            f"ResNet-20, {batch} x {shape[1]}x{shape[2]}: our peak {peak / 1e6:.1f} MB, PyTorch saves "
            f"{saved / 1e6:.1f} MB, ratio {peak / saved:.2f} (goal 1.50)", flush=True,
        )  # fmt: skip


if __name__ == "__main__":
    main()
