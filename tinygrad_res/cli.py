"""The command line: ``tinygrad-res paths MODEL``, and commands that have rooms of their own.

``draw`` and ``explore`` look at a user's own script or network (``tinygrad_res.drawing``), ``experiment``
reproduces findings (``tinygrad_res.experiments.command``).

Every error of the project ends as one line on standard error and exit status 2; what
the command writes is checked for before it computes, and written whole or not at all.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from . import __version__, backend, nets
from .data import Images, load
from .drawing import add_draw, add_explore
from .errors import Error, UsageError
from .experiments.command import add_experiment
from .files import make_writable, write_whole
from .own_network import account
from .report import PathReport, Training, examine, train
from .subjects import add_shape, is_network
from .terminal import say

TOLERANCES = {8: 1e-9, 4: 1e-4, 2: 0.03}
"""Of the graded sum against backward, by the bytes of a number."""
DEFAULTS = {"data": "digits", "device": "cpu", "batch": 64, "lr": 3e-4}
"""Of the networks of the zoo."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    ours, own = _apart(sys.argv[1:] if arguments is None else list(arguments))
    options = _parser().parse_args(ours, argparse.Namespace(arguments=own))
    try:
        status = int(options.run(options))
        sys.stdout.flush()  # a closed pipe shows here, not when the interpreter ends
        return status
    except Error as error:
        say(f"tinygrad-res: error: {error}", sys.stderr)
        return 2
    except BrokenPipeError:  # the reader, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt as stop:
        print(f"tinygrad-res: interrupted; {str(stop) or 'nothing was written'}", file=sys.stderr)
        return 130


def _apart(given: list[str]) -> tuple[list[str], list[str]]:
    """Return our own arguments, and those of the script that ``draw`` and ``explore`` run."""
    if not given or given[0] not in ("draw", "explore") or "--" not in given:
        return given, []
    where = given.index("--")
    return given[:where], given[where + 1 :]


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, like all others."""

    def error(self, message: str) -> NoReturn:
        """Print the message in one line and leave with status 2."""
        say(f"{self.prog}: error: {message} (see {self.prog} --help)", sys.stderr)
        sys.exit(2)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="tinygrad-res",
        description="See where a gradient comes from: its paths, counted, weighed and drawn.",
    )
    parser.add_argument("--version", action="version", version=f"tinygrad-res {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=_Parser)
    command = commands.add_parser(
        "paths",
        help="train a network for a moment, then count, weigh and draw its gradient paths",
        description="Train MODEL for a moment on real data, run one batch forward and "
        "backward, and account for the gradient: the number of paths and the gradient "
        "through them by weight layers crossed. Writes paths.svg, paths.png and report.json.",
    )
    command.set_defaults(run=_paths)
    command.add_argument(
        "model", metavar="MODEL",
        help=f"{', '.join(nets.MODELS)}; or a network of yours, MODEL.onnx or MODEL.onnx:OUTPUT, as "
        "it is in its file",
    )  # fmt: skip
    size = command.add_mutually_exclusive_group()
    size.add_argument(
        "--blocks", type=int, metavar="N", help="blocks of two weight layers (default: 3 for MLPs)"
    )
    size.add_argument(
        "--depth", type=int, metavar="D", help="weight layers, instead of blocks: 2 N + 2"
    )
    command.add_argument(
        "--train", type=int, metavar="STEPS", help="training steps (default: 300; ResNets 60)"
    )
    command.add_argument(
        "--data", metavar="DATA",
        help="digits, an archive or folder of CIFAR as it is published, such as "
        "cifar-10-binary.tar.gz, or an .npz file with arrays x and y (default: digits); for "
        "MODEL.onnx an .npz file with arrays that are called as its inputs (default: random ones)",
    )  # fmt: skip
    command.add_argument(
        "--out", type=Path, default=Path("paths"), metavar="DIR",
        help="where to write the files (default: ./paths)",
    )  # fmt: skip
    command.add_argument("--device", choices=("cpu", "cuda"), help="(default: cpu)")
    command.add_argument("--batch", type=int, help="images per batch (default: 64)")
    command.add_argument("--lr", type=float, help="step size of Adam (default: 0.0003)")
    command.add_argument(
        "--seed", type=int, default=0,
        help="of weights and batches, and of what MODEL.onnx runs on (default: 0)",
    )  # fmt: skip
    add_shape(command)
    add_experiment(commands)
    add_draw(commands)
    add_explore(commands)
    return parser


def _paths(options: argparse.Namespace) -> int:
    if options.seed < 0:
        raise UsageError(f"--seed {options.seed}: must be at least 0")
    return (_of_a_file if is_network(options.model) else _of_the_zoo)(options)


def _of_a_file(options: argparse.Namespace) -> int:
    report, heading, values = account(options)
    make_writable("--out", options.out)
    return _told(options, report, heading, values)


def _of_the_zoo(options: argparse.Namespace) -> int:
    if options.shape:
        raise UsageError(f"--shape is for a network in a file, and {options.model} is none")
    for name, default in DEFAULTS.items():
        if getattr(options, name) is None:
            setattr(options, name, default)
    blocks = _blocks(options)
    steps = options.train
    if steps is None:
        steps = 300 if options.model.endswith("mlp") else 60
    for name, value, least in (("--train", steps, 0), ("--batch", options.batch, 2)):
        if value < least:
            raise UsageError(f"{name} {value}: must be at least {least}")
    if not options.lr > 0:
        raise UsageError(f"--lr {options.lr:g}: must be positive")
    if options.device == "cuda":
        backend.cupy()
    data = load(options.data, options.seed)
    rng = np.random.default_rng(options.seed)
    network = nets.build(options.model, data.shape, data.classes, blocks, rng)
    make_writable("--out", options.out)

    size = network.size()
    training = train(network, data, steps, options.device, options.batch, options.lr, options.seed)
    report = examine(network, data, options.device, options.batch)
    values = {
        "model": options.model,
        "seed": options.seed,
        "data": options.data,
        "batch": options.batch,
        "parameters": size,
        "training": asdict(training),
        "degrees_counted_between": ["the stem's output", "the classifier's input"],
    }
    return _told(options, report, _heading(network, size, data, training, options), values)


def _told(
    options: argparse.Namespace, report: PathReport, heading: list[str], values: dict[str, Any]
) -> int:
    """Write the files, print the account, and return the exit status."""
    agrees = report.error <= TOLERANCES[report.itemsize]
    _write(options.out, report, values)
    print("\n".join(heading))
    print(report.table())
    print(
        f"check: the graded parts {'sum' if agrees else 'DO NOT SUM'} to backward's gradient, "
        f"relative error {report.error:.1e}"
    )
    print(f"wrote paths.svg, paths.png and report.json in {options.out}{os.sep}")
    return 0 if agrees else 1


def _blocks(options: argparse.Namespace) -> int | None:
    if options.depth is None:
        return options.blocks  # type: ignore[no-any-return]
    if options.depth < 4 or options.depth % 2:
        raise UsageError(f"--depth {options.depth}: a network of two-layer blocks, a stem and a "
                         "classifier has an even depth of at least 4")  # fmt: skip
    return int(options.depth - 2) // 2


def _heading(
    network: nets.Network, size: int, data: Images, training: Training,
    options: argparse.Namespace,
) -> list[str]:  # fmt: skip
    blocks, layers = len(network.body), len(network.weight_layers())
    lines = [
        f"{network.name}: {blocks} block{'s' * (blocks != 1)}, {layers} weight layers, {size:,} parameters"
    ]
    if training.loss:
        lines.append(
            f"trained on {data.name} for {training.steps} steps: loss {training.loss[0]:.3f} -> "
            f"{training.loss[1]:.3f}, {100 * training.accuracy:.1f} % of "
            f"{len(data.test_y)} held-out images right"
        )
    else:
        lines.append(f"not trained; data: {data.name}")
    count = min(options.batch, len(data.test_y))
    lines += [
        f"gradient of the loss by x, {count} held-out images; weight layers are counted between",
        "the stem's output and the classifier's input, since every path crosses those two weights",
        "",
    ]
    return lines


def _write(out: Path, report: PathReport, values: dict[str, Any]) -> None:
    import viz

    values = {
        **values,
        **report.as_dict(),
        "versions": {
            "tinygrad_res": __version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
        },
    }
    viz.draw(report.paths).save(out / "paths.svg")
    viz.plot_paths(report.paths, by="weight").save(out / "paths.png")
    write_whole(out / "report.json", (json.dumps(values, indent=2) + "\n").encode())
