"""The command ``experiment``: a finding about gradients, reproduced from the shell."""

from __future__ import annotations

import argparse
import contextlib
import inspect
import multiprocessing
import os
import sys
import threading
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from tqdm import tqdm

from ..errors import UsageError
from ..files import make_writable
from ..terminal import say
from . import EXPERIMENTS
from .sources import Unverified, given


def add_experiment(commands: Any) -> None:
    """Add the command ``experiment``, with a command below it for each row of the table."""
    command = commands.add_parser(
        "experiment",
        help="reproduce a finding about gradients",
        description="Reproduce a finding about gradients. Prints a table beside what is known, "
        "and writes NAME.png and NAME.json.",
    )
    names = command.add_subparsers(required=True, metavar="NAME", parser_class=type(command))
    for name, (_, shows) in EXPERIMENTS.items():
        experiment = names.add_parser(name, help=shows, description=f"{name}: {shows}.")
        experiment.set_defaults(run=_experiment, name=name)
        experiment.add_argument(
            "--quick", action="store_true", help="seconds in place of minutes, and rougher numbers"
        )
        experiment.add_argument("--seed", type=int, default=0, help="of the first run (default: 0)")
        experiment.add_argument(
            "--jobs", type=int, default=1, metavar="N",
            help="processes to share the work among; the numbers do not depend on it (default: 1)",
        )  # fmt: skip
        experiment.add_argument(
            "--keep", type=Path, metavar="DIR",
            help="keep each finished part here, and go on from there after an interruption",
        )  # fmt: skip
        experiment.add_argument(
            "--out", type=Path, default=Path("experiments"), metavar="DIR",
            help="where to write the files (default: ./experiments)",
        )  # fmt: skip
        if takes_data(name):
            experiment.add_argument(
                "--data", default="digits", metavar="DATA",
                help="train on this: digits, an archive or folder of CIFAR as it is published, such as "
                "cifar-10-binary.tar.gz, or an .npz file with arrays x and y (default: digits)",
            )  # fmt: skip
            experiment.add_argument(
                "--unverified", action="store_true",
                help="take files of CIFAR's form that are not the official ones, such as a part of "
                "them: no MD5 sum is compared",
            )  # fmt: skip
            experiment.add_argument(
                "--limit", type=int, metavar="N",
                help="take N training images and N test images at most, as many of each class as "
                "can be (default: all)",
            )  # fmt: skip


def takes_data(name: str) -> bool:
    """Say whether an experiment can be run on other images than the digits.

    >>> takes_data("lesions"), takes_data("chain-rule")
    (True, False)
    """
    return "data" in inspect.signature(EXPERIMENTS[name].run).parameters


def _experiment(options: argparse.Namespace) -> int:
    for name, value, least in (("--seed", options.seed, 0), ("--jobs", options.jobs, 1)):
        if value < least:
            raise UsageError(f"{name} {value}: must be at least {least}")
    chosen = {}
    if takes_data(options.name):
        data = Unverified(options.data) if options.unverified else options.data
        chosen = {"data": data, "limit": options.limit}
        source = given(options.name, **chosen, seed=options.seed)  # before a folder is made
        if not source.verified:
            say(f"tinygrad-res: warning: {options.data} may be any images of CIFAR's form: what is "
                "found on them is not to be held against what is published", sys.stderr)  # fmt: skip
    make_writable("--out", options.out)
    if options.keep is not None:
        make_writable("--keep", options.keep)
    with contextlib.ExitStack() as stack:
        executor = None
        if options.jobs > 1:
            fresh = multiprocessing.get_context("spawn")  # forked threads would hang
            executor = stack.enter_context(ProcessPoolExecutor(options.jobs, fresh, _begin))
        try:
            outcome = EXPERIMENTS[options.name].run(
                quick=options.quick, seed=options.seed, executor=executor, folder=options.keep,
                **chosen,
            )  # fmt: skip
        except KeyboardInterrupt:
            _end(executor)
            if options.keep is not None:
                raise KeyboardInterrupt(
                    f"what is finished is kept in {options.keep}: the same command goes on from there"
                ) from None
            raise
    names = [f"{options.name}.{ending}" for ending in ("png", "json")]
    for name in names:
        outcome.save(options.out / name)
    print(outcome.table())
    print(f"wrote {' and '.join(names)} in {options.out}{os.sep}")
    return 0


def _begin() -> None:
    """Give a worker's bars a lock of threads: tqdm's own, a semaphore, would outlive its killing."""
    tqdm.set_lock(threading.RLock())


def _end(executor: ProcessPoolExecutor | None) -> None:
    """End the workers at once: a pool waits for what they took, which may be minutes."""
    if executor is not None:
        for worker in multiprocessing.active_children():
            worker.kill()
        executor.shutdown(cancel_futures=True)
