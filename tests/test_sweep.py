"""Sweeps: the same numbers on any executor, and nothing finished is ever lost."""

import functools
import json
import os
import signal
import sys
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import pytest

import tinygrad_res as tg
from tinygrad_res.errors import SweepError, UsageError
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


def failing(n):
    if n == 1:
        raise UsageError(f"n = {n} is no good")
    return n


def killed(n):
    if n == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return n


CELLS = grid(depth=[1, 4, 9], seed=[0, 1])


@pytest.mark.parametrize("executor", [ThreadPoolExecutor, ProcessPoolExecutor])
def test_the_numbers_do_not_depend_on_the_executor(executor):
    with executor(2) as pool:
        assert sweep(gradient_norm, CELLS, pool) == sweep(gradient_norm, CELLS)


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


def test_a_cell_that_fails_leaves_the_others_finished_and_is_named():
    with pytest.raises(
        SweepError, match=r"1 of 3 cells.*\n  n=1: UsageError: n = 1 is no good"
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
        assert sweep(gradient_norm, CELLS, client.get_executor()) == sweep(gradient_norm, CELLS)


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
