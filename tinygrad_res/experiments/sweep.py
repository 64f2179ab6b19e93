"""sweep: one function at many settings, on any executor, without losing what is done.

A cell is one setting: keyword arguments of plain values.  What the function returns for it
must be plain values, too (numbers, strings, lists, dicts), because a finished cell can be
kept in a file.  A function of its arguments alone gives the same numbers here, in threads,
in processes, or on the machines of a cluster; so the executor is the caller's choice, and a
sweep cut short goes on from the files that are there.  Every cell runs with one BLAS thread,
without which the numbers would depend on the machine's (see ``one_thread``).
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import os
import queue
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future
from pathlib import Path
from typing import Any

from tqdm import tqdm

from .. import __version__
from ..errors import SweepError, UsageError
from ..files import make_writable, write_whole
from .one_thread import one_thread

Cell = Mapping[str, Any]
"""A setting: keyword arguments of values that JSON holds."""

_SHOWN = 5


def grid(**choices: Sequence[Any]) -> list[dict[str, Any]]:
    """Return a cell for every combination, the last name varying fastest.

    >>> grid(depth=[20, 56], seed=[0, 1])[1]
    {'depth': 20, 'seed': 1}
    """
    return [
        dict(zip(choices, chosen, strict=True)) for chosen in itertools.product(*choices.values())
    ]


def where(cells: Iterable[Cell], **wanted: Any) -> list[Any]:
    """Return the cells that have these settings, in their order.

    >>> where(grid(depth=[20, 56], seed=[0, 1]), depth=56)
    [{'depth': 56, 'seed': 0}, {'depth': 56, 'seed': 1}]
    """
    return [cell for cell in cells if wanted.items() <= cell.items()]


def beside(
    cells: Sequence[Cell], names: Sequence[str], found: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Return what was found for each cell, and with it the settings that have these names.

    >>> beside(grid(a=[7, 8], b=[3]), ["a"], [{"rest": 1}, {"rest": 2}])
    [{'a': 7, 'rest': 1}, {'a': 8, 'rest': 2}]
    """
    return [
        {**{name: cell[name] for name in names}, **one}
        for cell, one in zip(cells, found, strict=True)
    ]


def sweep(
    function: Callable[..., Any], cells: Iterable[Cell], executor: Executor | None = None,
    folder: str | os.PathLike[str] | None = None, progress: str = "",
) -> list[Any]:  # fmt: skip
    """Return what ``function(**cell)`` returns for every cell, in the order of the cells.

    Args:
        function: one that can be imported by its name, so that a pool of processes finds it.
        cells: the settings, each another.
        executor: where to run, a task for each cell: threads, processes or another
            ``concurrent.futures.Executor``, or a Dask ``Client``; here, one after the other,
            where left out.  Pools are made and closed by the caller.
        folder: keep every finished cell in a file here, and take those that are kept already
            instead of computing them.  A file counts for the same function, setting and
            version of tinygrad_res only.
        progress: what to write beside a progress bar; no bar where empty.

    Raises:
        UsageError: two cells are the same, a value is none that JSON holds, the function is a
            lambda or otherwise without a name to import it by, or the executor is none.
        FileError: the folder, or a file in it, cannot be written.
        SweepError: cells failed or were cancelled, or a worker was lost.  The others are
            finished first; the error holds them, and names those that are missing.

    >>> sweep(divmod_of, grid(a=[7, 8], b=[3]))
    [[2, 1], [2, 2]]
    """
    cells, pool = list(cells), pool_of("sweep", executor)
    asked = {_name(function, cell): cell for cell in cells}
    if len(asked) < len(cells):
        raise UsageError("sweep: two cells are the same: each would be computed twice")
    kept = None if folder is None else Path(folder)
    if kept is not None:
        make_writable("sweep: folder", kept)
    found = {name: _read(kept, name) for name in asked if kept is not None}
    done = {name: outcome[0] for name, outcome in found.items() if outcome is not None}
    missing: dict[str, BaseException] = {}
    todo = {name: cell for name, cell in asked.items() if name not in done}
    bar = tqdm(
        total=len(cells), initial=len(done), desc=progress, unit="cell", leave=False,
        disable=not progress,
    )  # fmt: skip
    outcomes = _here(function, todo) if pool is None else _there(function, todo, pool)
    with bar:
        for name, outcome in outcomes:
            if isinstance(outcome, BaseException):
                missing[name] = outcome
                continue
            value = _plain(function, outcome)
            done[name] = json.loads(value)
            if kept is not None:
                write_whole(kept / f"{name}.json", _kept(value))
            bar.update()
    if missing:
        raise _incomplete(asked, done, missing, folder)
    return [done[name] for name in asked]


def divmod_of(a: int, b: int) -> list[int]:
    """Return the quotient and the remainder: a cell for trying executors out."""
    return list(divmod(a, b))


def pool_of(name: str, executor: Any) -> Executor | None:
    """Return what takes tasks; a Dask client has such a thing, but is none.

    Raises:
        UsageError: neither takes any; it begins with ``name``.
    """
    if hasattr(executor, "get_executor"):
        executor = executor.get_executor()
    if executor is None or isinstance(executor, Executor):
        return executor
    raise UsageError(
        f"{name}: executor={executor!r} takes no tasks: pass an open pool, such as "
        "concurrent.futures.ProcessPoolExecutor(2), or a Dask Client"
    )


def _here(function: Callable[..., Any], todo: Mapping[str, Cell]) -> Iterator[tuple[str, Any]]:
    for name, cell in todo.items():
        try:
            yield name, _one(function, cell)
        except Exception as error:  # a cell that fails must not take the others with it
            yield name, error


def _there(
    function: Callable[..., Any], todo: Mapping[str, Cell], pool: Executor
) -> Iterator[tuple[str, Any]]:
    names: dict[Future[Any], str] = {}
    ended: queue.SimpleQueue[Future[Any]] = queue.SimpleQueue()
    for name, cell in todo.items():
        try:
            future = pool.submit(_one, function, dict(cell))
        except RuntimeError as error:  # a pool that has lost a worker takes no more
            yield name, error
        else:
            names[future] = name
            future.add_done_callback(ended.put)  # as_completed would wait for the cancelled
    try:
        for _ in names:
            future = ended.get()
            try:
                yield names[future], future.result()
            except Exception as error:
                yield names[future], error
    finally:
        for future in names:
            future.cancel()


def _one(function: Callable[..., Any], cell: Cell) -> Any:
    with one_thread():
        return function(**cell)


def _name(function: Callable[..., Any], cell: Cell) -> str:
    """Return a name for a cell's file: the same for the same question, and for no other."""
    if not isinstance(cell, Mapping):
        raise UsageError(
            f"sweep: the cell {cell!r} is no setting: pass dicts of arguments, such as grid(depth=[20])"
        )
    try:
        setting = json.dumps(dict(cell), sort_keys=True, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise UsageError(
            f"sweep: the setting {dict(cell)!r} holds a value that JSON does not ({error}): use "
            "numbers, strings, lists and dicts"
        ) from None
    called = getattr(function, "__qualname__", "<a call>")
    if "<" in called:  # another one could have the same name, and would be given this one's cells
        raise UsageError(
            f"sweep: {called} cannot be imported by a name of its own: write a def outside of other "
            "functions"
        )
    module = function.__module__
    if module == "__main__":
        module = getattr(sys.modules[module], "__file__", None) or module
    asked = f"{__version__} {module}.{called} {setting}"
    return f"{function.__name__.strip('_')}-{hashlib.sha256(asked.encode()).hexdigest()[:16]}"


def _kept(value: bytes) -> bytes:
    """Return the content of a cell's file: its value as JSON, and the checksum of that."""
    return b'{"crc32": %d, "value": %s}' % (zlib.crc32(value), value)


def _read(folder: Path, name: str) -> tuple[Any] | None:
    """Return what a kept cell holds; nothing where it is not there or was damaged."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError, RecursionError):
        content = (folder / f"{name}.json").read_bytes()
        value = json.loads(content)["value"]
        if content == _kept(json.dumps(value).encode()):
            return (value,)
    return None


def _plain(function: Callable[..., Any], value: Any) -> bytes:
    try:
        return json.dumps(value).encode()
    except (TypeError, ValueError) as error:
        raise UsageError(
            f"sweep: {function.__qualname__} returns what no file can hold ({error}): return "
            "numbers, strings, lists and dicts"
        ) from None


def _incomplete(
    cells: Mapping[str, Cell], done: Mapping[str, Any], missing: Mapping[str, BaseException],
    folder: str | os.PathLike[str] | None,
) -> SweepError:  # fmt: skip
    lines = [f"sweep: {len(missing)} of {len(cells)} cells are missing:"]
    whose: dict[str, list[str]] = {}
    for name, error in missing.items():
        whose.setdefault(_said(error), []).append(_setting(cells[name], list(cells.values())))
    for said, settings in itertools.islice(whose.items(), _SHOWN):
        if len(settings) == 1:
            lines.append(f"  {settings[0]}: {said}")
            continue
        lines += [f"  {said}", *(f"    {one}" for one in settings[:_SHOWN])]
        lines += [f"    and {len(settings) - _SHOWN} more"] * (len(settings) > _SHOWN)
    if len(whose) > _SHOWN:
        lines.append(f"  and {len(whose) - _SHOWN} other errors")
    if any(isinstance(error, BrokenExecutor) for error in missing.values()):
        lines.append("a worker is lost for instance where memory is short: use fewer processes")
    kept = (
        "nothing is kept: give folder= (--keep DIR in the shell), and what is finished need not "
        "be computed again" if folder is None
        else f"what is finished is kept in {str(folder)!r}: run again with the same folder= (--keep "
        "in the shell), and only these are computed"
    )  # fmt: skip
    return SweepError(
        "\n".join([*lines, kept]),
        done=[(dict(cells[name]), value) for name, value in done.items()],
        missing=[dict(cells[name]) for name in missing],
    )


def _said(error: BaseException) -> str:
    """Return the error's name and words, or what is meant where it has none."""
    silent = (
        "was cancelled, as by the pool's shutdown" if isinstance(error, CancelledError)
        else "its worker was lost"
    )  # fmt: skip
    return f"{type(error).__name__}: {str(error).strip() or silent}"


def _setting(cell: Cell, cells: Sequence[Cell]) -> str:
    """Write in what a cell differs from the others; all of it where there is no other."""
    told = [name for name in cell if any(cell[name] != other.get(name) for other in cells)]
    return ", ".join(f"{name}={cell[name]!r}" for name in told or cell)
