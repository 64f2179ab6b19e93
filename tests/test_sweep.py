"""Sweeps: the same numbers on any executor, and nothing finished is ever lost."""

import contextlib
import functools
import json
import os
import re
import signal
import sys
import threading
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

import tinygrad_res as tg
from tinygrad_res.errors import SweepError, UsageError
from tinygrad_res.experiments.one_thread import one_thread
from tinygrad_res.experiments.sweep import divmod_of, grid, sweep

CALLS = []


def gradient_norm(depth, seed):
    """Return a number that needs a record of its own, scopes and a switched-off recording."""
    rng = np.random.default_rng(seed)
    x = h = tg.tensor(rng.standard_normal((2, 3)), requires_grad=True)
    for k in range(depth):
        with tg.scope(f"block{k}"):
            h = h + tg.tanh(h @ tg.parameter(rng.standard_normal((3, 3))))
    with tg.no_grad():
        size = float((h * h).sum().item())
    (h * h).sum().backward()
    return {"norm": float(np.sqrt((x.grad.numpy() ** 2).sum())), "size": size}


def counted(n):
    CALLS.append(n)
    return n


def beyond_floats(n):
    CALLS.append(n)
    return {"n": n, "norms": [float("inf"), float("nan")]}


def unwritable(n):
    return {n}


def failing(n):
    if n == 1:
        raise UsageError(f"n = {n} is no good")
    return n


def killed(n):
    if n == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return n


def product(n):
    """Return a number that the order of its sums changes, and so the number of threads."""
    a = np.random.default_rng(n).standard_normal((n, 3 * n)).astype("float32")
    return float(((a @ a.T) @ a).sum(dtype="float64"))


def blas_threads(n=0):
    return [one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"]


CELLS = grid(depth=[1, 4, 9], seed=[0, 1])


@pytest.mark.parametrize("executor", [ThreadPoolExecutor, ProcessPoolExecutor])
def test_the_numbers_do_not_depend_on_the_executor(executor):
    with executor(2) as pool:
        assert sweep(gradient_norm, CELLS, pool) == sweep(gradient_norm, CELLS)


@pytest.mark.parametrize("executor", [None, ThreadPoolExecutor, ProcessPoolExecutor])
def test_the_numbers_do_not_depend_on_how_many_threads_the_blas_may_use(executor):
    found = []
    for threads in (1, 2):
        with threadpool_limits(threads, "blas"), contextlib.ExitStack() as stack:
            pool = stack.enter_context(executor(1)) if executor else None
            found.append(sweep(product, grid(n=[301, 512]), pool))
    assert found[0] == found[1]


@pytest.mark.parametrize("executor", [None, ThreadPoolExecutor, ProcessPoolExecutor])
def test_cells_run_with_one_blas_thread_and_the_caller_keeps_its_own(executor):
    with threadpool_limits(2, "blas"), contextlib.ExitStack() as stack:
        before = blas_threads()
        pool = stack.enter_context(executor(2)) if executor else None
        for seen in sweep(blas_threads, grid(n=[0, 1, 2]), pool):
            assert set(seen) == {1}
        assert blas_threads() == before


def test_a_cell_that_outlasts_another_keeps_its_one_thread():
    """The first to come is the first to go: it must not give threads back to the second."""
    second_is_in, first_is_out, seen = threading.Event(), threading.Event(), []

    def second():
        with one_thread():
            second_is_in.set()
            first_is_out.wait(5)
            seen.extend(blas_threads())

    with threadpool_limits(2, "blas"):
        before = blas_threads()
        other = threading.Thread(target=second)
        with one_thread():
            other.start()
            assert second_is_in.wait(5)
        first_is_out.set()
        other.join()
        assert set(seen) == {1} and blas_threads() == before


def test_the_numbers_are_those_of_plain_calls_in_the_order_of_the_cells():
    assert sweep(gradient_norm, CELLS) == [gradient_norm(**cell) for cell in CELLS]


def test_a_cell_that_is_kept_is_not_computed_again(tmp_path):
    CALLS.clear()
    first = sweep(counted, grid(n=[1, 2]), folder=tmp_path)
    assert sweep(counted, grid(n=[2, 3, 1]), folder=tmp_path) == [2, 3, 1]
    assert (first, CALLS) == ([1, 2], [1, 2, 3])


DAMAGES = {
    "cut short": lambda content: content[:-3],
    "another number": lambda content: content.replace(b"1.5", b"2.5"),
    "another value": lambda content: b'{"value": 2.5}',
    "no text": lambda content: b"\xff\xfe",
    "too deep": lambda content: b"[" * 100_000,
    "a list": lambda content: b"[1.5]",
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_computed_again(tmp_path, damage):
    sweep(counted, grid(n=[1.5]), folder=tmp_path)
    (file,) = tmp_path.iterdir()
    whole = file.read_bytes()
    assert json.loads(whole)["value"] == 1.5
    file.write_bytes(DAMAGES[damage](whole))
    CALLS.clear()
    assert sweep(counted, grid(n=[1.5]), folder=tmp_path) == [1.5]
    assert CALLS == [1.5] and file.read_bytes() == whole


def test_values_of_every_kind_are_kept_as_they_are(tmp_path):
    cells = grid(n=[0.1, [1e300, -0.0], {"a": None, "b": "ü"}, 10**30, True])
    first = sweep(beyond_floats, cells, folder=tmp_path)
    CALLS.clear()
    assert repr(sweep(beyond_floats, iter(cells), folder=tmp_path)) == repr(first)
    assert CALLS == []


def test_another_function_or_setting_does_not_take_a_kept_cell(tmp_path):
    sweep(counted, grid(n=[1]), folder=tmp_path)
    assert sweep(failing, grid(n=[0]), folder=tmp_path) == [0]
    assert sweep(divmod_of, grid(a=[1], b=[1]), folder=tmp_path) == [[1, 0]]
    assert len(list(tmp_path.iterdir())) == 3


def test_the_order_of_a_settings_names_does_not_matter(tmp_path):
    first = sweep(divmod_of, [{"a": 7, "b": 3}], folder=tmp_path)
    assert sweep(divmod_of, [{"b": 3, "a": 7}], folder=tmp_path) == first
    assert len(list(tmp_path.iterdir())) == 1


def test_a_cell_that_another_version_kept_is_computed_again(tmp_path, monkeypatch):
    sweep(counted, grid(n=[1]), folder=tmp_path)
    CALLS.clear()
    monkeypatch.setattr(sys.modules[sweep.__module__], "__version__", "0.0.0")
    sweep(counted, grid(n=[1]), folder=tmp_path)
    assert CALLS == [1]


class Waiting(Executor):
    """Runs the first task, and lets the others wait."""

    def __init__(self):
        self.futures = []

    def submit(self, function, /, *args, **options):
        self.futures.append(Future())
        if len(self.futures) == 1:
            self.futures[0].set_result(function(*args, **options))
        return self.futures[-1]


def test_cells_that_wait_are_cancelled_where_the_sweep_ends_with_an_error():
    pool = Waiting()
    with pytest.raises(UsageError, match="returns what no file can hold"):
        sweep(unwritable, grid(n=[1, 2, 3]), pool)
    assert [future.cancelled() for future in pool.futures] == [False, True, True]


def test_a_cell_that_fails_leaves_the_others_finished_and_is_named():
    with pytest.raises(
        SweepError, match=r"1 of 3 cells.*\n  n=1: UsageError: n = 1 is no good\n"
    ) as e:
        sweep(failing, grid(n=[0, 1, 2]))
    assert e.value.missing == [{"n": 1}]
    assert e.value.done == [({"n": 0}, 0), ({"n": 2}, 2)]


def test_a_worker_killed_in_the_middle_loses_only_what_it_had_not_finished(tmp_path):
    sweep(killed, grid(n=[0, 2]), folder=tmp_path)
    with ProcessPoolExecutor(1) as pool, pytest.raises(SweepError) as e:
        sweep(killed, grid(n=[0, 1, 2, 3]), pool, folder=tmp_path)
    assert {"n": 1} in e.value.missing and "run again" in str(e.value)
    assert ({"n": 0}, 0) in e.value.done and ({"n": 2}, 2) in e.value.done
    missing = [cell for cell in e.value.missing if cell != {"n": 1}]
    assert sweep(killed, missing, folder=tmp_path) == [cell["n"] for cell in missing]


def test_what_several_cells_fail_of_is_said_once_and_how_to_go_on(tmp_path):
    cells = grid(family=["plain"], n=[1, 0, 3, 5, 7, 9, 11])
    with pytest.raises(SweepError) as e:
        sweep(odd, cells, folder=tmp_path)
    first, error, *named, more, mend = str(e.value).splitlines()
    assert first == "sweep: 6 of 7 cells are missing:"
    assert error == "  UsageError: no odd number is any good"
    assert named == [f"    n={n}" for n in (1, 3, 5, 7, 9)] and more == "    and 1 more"
    assert mend.startswith(f"what is finished is kept in {str(tmp_path)!r}: run again with")
    with pytest.raises(SweepError, match=r"nothing is kept: give folder= \(--keep DIR"):
        sweep(odd, cells)


def odd(family, n):
    if n % 2:
        raise UsageError("no odd number is any good")
    return n


def test_cells_cancelled_by_another_are_missing_and_nobody_waits_for_them(tmp_path):
    cells = grid(n=[0, 1, 2])
    STARTED.clear()
    CANCELLED.clear()
    with ShutDown(1) as pool:
        words = r"CancelledError: was cancelled.*\n    n=1\n    n=2"
        with pytest.raises(SweepError, match=words) as e:
            sweep(until_shut_down, cells, pool, folder=tmp_path)
    assert e.value.done == [({"n": 0}, 0)] and e.value.missing == [{"n": 1}, {"n": 2}]
    assert sweep(until_shut_down, cells, folder=tmp_path) == [0, 1, 2]


STARTED, CANCELLED = threading.Event(), threading.Event()


class ShutDown(ThreadPoolExecutor):
    """Is shut down by another while it runs the first of three tasks."""

    tasks = 0

    def submit(self, *args):
        future = super().submit(*args)
        self.tasks += 1
        if self.tasks == 3:
            STARTED.wait(5)
            self.shutdown(wait=False, cancel_futures=True)
            CANCELLED.set()
        return future


def until_shut_down(n):
    STARTED.set()
    CANCELLED.wait(5)
    return n


def test_a_lost_worker_is_told_once_and_with_what_may_help():
    with ProcessPoolExecutor(1) as pool, pytest.raises(SweepError) as e:
        sweep(killed, grid(n=[1, 0, 2, 3]), pool)
    assert str(e.value).count("BrokenProcessPool") == 1
    assert "where memory is short: use fewer processes" in str(e.value)


@pytest.mark.parametrize("executor", [3, "threads", ThreadPoolExecutor])
def test_what_is_no_pool_is_refused_before_anything_is_done(tmp_path, executor):
    CALLS.clear()
    words = re.escape(f"sweep: executor={executor!r} takes no tasks: pass an open pool")
    with pytest.raises(UsageError, match=words):
        sweep(counted, grid(n=[1]), executor, tmp_path / "kept")
    assert CALLS == [] and not (tmp_path / "kept").exists()


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        (grid(n=[1, 1]), "the same"),
        ([{"n": {1, 2}}], "JSON"),
        ([{"n": float("nan")}], "JSON"),
        ([1], "the cell 1 is no setting: pass dicts"),
    ],
)
def test_settings_that_cannot_be_told_apart_or_kept_are_refused(cells, words):
    CALLS.clear()
    with pytest.raises(UsageError, match=words):
        sweep(counted, cells)
    assert CALLS == []


def test_what_cannot_be_kept_is_refused():
    with pytest.raises(UsageError, match="set_of returns what no file can hold"):
        sweep(set_of, grid(n=[1]))


def set_of(n):
    return {n}


def test_a_cluster_gives_the_same_numbers():
    distributed = pytest.importorskip("distributed", reason="Dask is not installed")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        found = [sweep(gradient_norm, CELLS, one) for one in (client, client.get_executor())]
        assert found == [sweep(gradient_norm, CELLS)] * 2


@pytest.mark.parametrize(
    "function", [lambda n: n, functools.partial(divmod_of, b=1)], ids=["lambda", "partial"]
)
def test_functions_that_share_their_name_with_others_are_refused(tmp_path, function):
    with pytest.raises(UsageError, match=r"sweep: <.*> cannot be imported by a name of its own"):
        sweep(function, grid(n=[1]), folder=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_functions_of_two_scripts_share_no_kept_cell(tmp_path, monkeypatch):
    monkeypatch.setattr(counted, "__module__", "__main__")
    for script in ("a.py", "b.py"):
        monkeypatch.setattr(sys.modules["__main__"], "__file__", script, raising=False)
        sweep(counted, grid(n=[1]), folder=tmp_path)
    assert len(list(tmp_path.iterdir())) == 2
