"""Speed on a GPU, side by side with PyTorch on the same card.

    python tests/bench/compare_gpu.py [NAME ...]

prints the table of ``compare``: medians of alternating rounds, each run ended by waiting for
the card.  Both sides multiply in full float32, which PyTorch by default does not in
convolutions.  It needs a GPU, CuPy and PyTorch built for CUDA.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from compare import RNG, Work, compare, heading, leaf, mlp, normal, residual_blocks, row

import tinygrad_res as tg
from tinygrad_res import nets
from tinygrad_res.errors import DeviceError


def missing() -> str:
    """Say what this machine lacks; nothing where the comparison can run."""
    try:
        tg.tensor(0.0).to("cuda")
    except DeviceError as error:
        return str(error)
    try:
        import torch
    except ImportError:
        return "PyTorch is not installed: pip install torch"
    return "" if torch.cuda.is_available() else "PyTorch sees no GPU: install its CUDA build"


def resnet(device: str = "cuda") -> tuple[str, Work, Work, float]:
    """A training step of ResNet-20 on 128 images of 3x32x32, with SGD and momentum."""
    import torch
    from torch.nn import functional

    images, labels = normal(128, 3, 32, 32), RNG.integers(0, 10, 128)
    network = nets.resnet(20, rng=np.random.default_rng(0)).to(device, np.float32)
    net = torch_resnet(20).to(device)
    x, y = leaf(images, device), leaf(labels, device)
    x_torch, y_torch = (torch.from_numpy(a).to(device) for a in (images, labels))
    options = {"lr": 0.1, "momentum": 0.9, "weight_decay": 1e-4}
    ours = tg.optim.SGD(network.parameters(), **options)
    theirs = torch.optim.SGD(net.parameters(), **options)

    def run_ours() -> None:
        ours.zero_grad()
        tg.cross_entropy(network(x), y).backward()
        ours.step()

    def run_torch() -> None:
        theirs.zero_grad()
        functional.cross_entropy(net(x_torch), y_torch).backward()
        theirs.step()

    return "PyTorch", run_ours, run_torch, 0.0


def torch_resnet(depth: int) -> Any:
    """Return the network of ``nets.resnet`` in PyTorch: He et al. 2015, shortcuts of option A."""
    import torch
    from torch import nn
    from torch.nn import functional

    def conv(inputs: int, outputs: int, stride: int = 1) -> Any:
        return nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)

    class Block(nn.Module):  # type: ignore[misc, unused-ignore]
        def __init__(self, inputs: int, outputs: int, stride: int) -> None:
            super().__init__()
            self.stride, self.extra = stride, outputs - inputs
            self.branch = nn.Sequential(
                conv(inputs, outputs, stride), nn.BatchNorm2d(outputs), nn.ReLU(),
                conv(outputs, outputs), nn.BatchNorm2d(outputs),
            )  # fmt: skip

        def forward(self, x: Any) -> Any:
            side = self.extra // 2
            skip = x[:, :, :: self.stride, :: self.stride]
            if self.extra:
                skip = functional.pad(skip, (0, 0, 0, 0, side, self.extra - side))
            return torch.relu(self.branch(x) + skip)

    layers, width = [conv(3, 16), nn.BatchNorm2d(16), nn.ReLU()], 16
    for stage in (16, 32, 64):
        for _ in range((depth - 2) // 6):
            layers.append(Block(width, stage, 1 if width == stage else 2))
            width = stage
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))


BENCHMARKS = (mlp, residual_blocks, resnet)


def waiting(work: Work, wait: Work) -> Work:
    """Return ``work`` that ends when the card is done with it, its kernels compiled already."""

    def run() -> None:
        work()
        wait()

    for _ in range(3):
        run()
    return run


def main(names: list[str]) -> None:
    """Run the benchmarks called ``names``, or all of them, and print a table."""
    lacking = missing()
    if lacking:
        sys.exit(f"compare_gpu: nothing to compare here: {lacking}")
    import cupy
    import torch

    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    print(torch.cuda.get_device_name())
    print(heading())
    for benchmark in BENCHMARKS:
        if names and benchmark.__name__ not in names:
            continue
        other, ours, theirs, _ = benchmark("cuda")
        found = compare(
            waiting(ours, cupy.cuda.get_current_stream().synchronize),
            waiting(theirs, torch.cuda.synchronize),
        )
        print(row(benchmark.__name__, found, "-", other), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
