"""Convolutions of a batch whose images are shared among threads."""

import os
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from threadpoolctl import ThreadpoolController, threadpool_limits

import tinygrad_res as tg
from tinygrad_res.primitives import convolution_kernels, sharing


def blas_threads():
    found = ThreadpoolController().select(user_api="blas").info()
    return [library["num_threads"] for library in found]


@pytest.fixture
def three(monkeypatch):
    """Work is worth sharing from one multiplication on, and the BLAS may take three threads."""
    monkeypatch.setattr(sharing, "LEAST", 1)
    monkeypatch.setattr(sharing, "FEW", -1)
    with threadpool_limits(3, "blas"):
        if blas_threads() != [3] * len(blas_threads()) or not blas_threads():
            pytest.skip("the BLAS of this NumPy takes no number of threads")
        yield


def slices_of(images, multiplications=10**9):
    return sharing.shared(np, lambda some: some, images, multiplications)


@pytest.mark.parametrize("images", [1, 2, 3, 4, 7])
def test_every_image_is_in_one_slice(three, images):
    found = slices_of(images)
    assert [i for some in found for i in range(images)[some]] == list(range(images))
    assert len(found) == min(images, 3)


def test_a_batch_without_images_is_worked_on_once(three):
    assert slices_of(0) == [slice(0, 0)]


def test_work_on_a_gpu_is_not_shared(three):
    assert sharing.shared(tg, lambda some: some, 6, 10**9) == [slice(0, 6)]


def test_each_thread_has_enough_to_do(three, monkeypatch):
    monkeypatch.setattr(sharing, "LEAST", 100)
    assert [len(slices_of(8, n)) for n in (0, 199, 200, 299, 300, 10_000)] == [1, 1, 2, 2, 3, 3]


def test_slices_are_worked_on_at_the_same_time_with_one_thread_of_the_blas(three):
    meeting = threading.Barrier(3, timeout=10)

    def work(some):
        meeting.wait()
        return threading.get_ident(), blas_threads()

    found = sharing.shared(np, work, 3, 10**9)
    assert len({thread for thread, _ in found}) == 3
    assert all(set(threads) == {1} for _, threads in found)
    assert set(blas_threads()) == {3}


def test_work_too_small_to_share_takes_one_thread_of_the_blas_too(three, monkeypatch):
    monkeypatch.setattr(sharing, "LEAST", 10**9)
    assert [set(t) for t in sharing.shared(np, lambda some: blas_threads(), 8, 1)] == [{1}]
    assert set(blas_threads()) == {3}


def test_few_multiplications_and_a_lone_image_leave_the_blas_alone(three, monkeypatch):
    monkeypatch.setattr(sharing, "FEW", 100)
    assert [set(t) for t in sharing.shared(np, lambda some: blas_threads(), 8, 100)] == [{3}]
    assert [set(t) for t in sharing.shared(np, lambda some: blas_threads(), 1, 10**9)] == [{3}]


def test_one_thread_stays_one():
    with threadpool_limits(1, "blas"):
        assert slices_of(8) == [slice(0, 8)]
        assert set(blas_threads()) == {1}


@pytest.mark.parametrize("start", [0, 2])
@pytest.mark.parametrize("error", [MemoryError, KeyboardInterrupt])
def test_an_error_in_any_thread_arrives_and_the_blas_has_its_threads_again(three, start, error):
    def work(some):
        if some.start == start:
            raise error("no room")

    with pytest.raises(error, match="no room"):
        sharing.shared(np, work, 3, 10**9)
    assert set(blas_threads()) == {3}
    assert len(slices_of(3)) == 3


def test_work_of_another_thread_meanwhile_is_done_there(three):
    inside, done, found = threading.Event(), threading.Event(), []

    def elsewhere():
        inside.wait(10)
        found.extend(slices_of(6))
        done.set()

    other = threading.Thread(target=elsewhere)
    other.start()

    def work(some):
        inside.set()
        assert done.wait(10)

    sharing.shared(np, work, 3, 10**9)
    other.join()
    assert found == [slice(0, 6)]
    assert set(blas_threads()) == {3}


def test_another_thread_may_set_limits_and_share_work_afterwards(three):
    slices_of(3)
    seen = []

    def limit():
        with threadpool_limits(2, "blas"):
            seen.extend([*blas_threads(), len(slices_of(3))])

    other = threading.Thread(target=limit)
    other.start()
    other.join()
    assert set(seen) == {2}


LATE = """
import atexit, threading, time
import numpy as np
from threadpoolctl import threadpool_limits
import tinygrad_res as tg
from tinygrad_res.primitives import convolution_kernels, sharing

sharing.LEAST, sharing.FEW = 1, -1
def work():
    with threadpool_limits(3, "blas"):
        print(sharing.shared(np, lambda some: (some.start, some.stop), 6, 100))
def late():
    threading.main_thread().join()
    work()
threading.Thread(target=late).start()
atexit.register(work)
"""


def test_work_goes_on_while_python_ends():
    """A thread that outlives the main one, and what runs at exit, can start no threads."""
    done = subprocess.run([sys.executable, "-c", LATE], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["[(0, 6)]"] * 2, done.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are not forked here")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_process_forked_meanwhile_shares_work_with_all_threads(three):
    inside, forking = threading.Event(), threading.Event()

    def work(some):
        inside.set()
        forking.wait(10)
        time.sleep(0.05)

    other = threading.Thread(target=sharing.shared, args=(np, work, 3, 10**9))
    other.start()
    inside.wait(10)
    forking.set()
    child = os.fork()
    if not child:
        os._exit(0 if set(blas_threads()) == {3} and len(slices_of(3)) == 3 else 1)
    other.join()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert len(slices_of(3)) == 3


def test_work_within_shared_work_is_done_there(three, monkeypatch):
    """As in the handler of a signal."""
    monkeypatch.setattr(sharing, "LEAST", 10**9)
    assert sharing.shared(np, lambda some: slices_of(6, 10**10), 6, 10**9) == [[slice(0, 6)]]
    assert set(blas_threads()) == {3}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are not forked here")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_process_may_be_forked_within_shared_work(three, monkeypatch):
    monkeypatch.setattr(sharing, "LEAST", 10**9)

    def work(some):
        child = os.fork()
        if not child:
            os._exit(0)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    assert sharing.shared(np, work, 2, 10**9) == [0]


def test_a_blas_that_does_not_say_how_many_threads_it_takes_has_one(monkeypatch):
    class Mute:
        def get_num_threads(self):
            return None

    monkeypatch.setattr(sharing, "_blas", lambda: [Mute()])
    assert slices_of(8) == [slice(0, 8)]


def test_what_numpy_does_on_errors_holds_in_every_thread(three):
    with np.errstate(divide="raise"):
        found = sharing.shared(np, lambda some: np.geterr()["divide"], 3, 10**9)
    assert found == ["raise"] * 3


@pytest.mark.parametrize(
    ("channels", "kernel", "groups"), [(2, 3, 1), (16, 3, 1), (4, 3, 2), (3, 1, 1)]
)
@pytest.mark.parametrize("threads", [2, 3, 7, 64])
def test_a_shared_convolution_is_that_of_one_thread(monkeypatch, channels, kernel, groups, threads):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((7, channels, 6, 5))
    w = rng.standard_normal((4, channels // groups, kernel, kernel))

    def derivatives():
        y, pull = tg.vjp(lambda a, b: tg.conv2d(a, b, stride=2, padding=1, groups=groups), x, w)
        return [found.data for found in (y, *pull(y))]

    with threadpool_limits(1, "blas"):
        expected = derivatives()
    monkeypatch.setattr(sharing, "LEAST", 1)
    monkeypatch.setattr(sharing, "FEW", -1)
    with threadpool_limits(threads, "blas"):
        assert all(
            np.allclose(a, b, rtol=1e-13, atol=1e-13)
            for a, b in zip(derivatives(), expected, strict=True)
        )


def test_convolutions_say_how_many_multiplications_they_are(monkeypatch):
    told = []

    def told_of(xp, work, images, multiplications):
        told.append((images, multiplications))
        return sharing.shared(xp, work, images, multiplications)

    monkeypatch.setattr(convolution_kernels, "shared", told_of)
    x, w = np.ones((7, 4, 6, 5)), np.ones((8, 2, 3, 2))
    y, pull = tg.vjp(lambda a, b: tg.conv2d(a, b, groups=2), x, w)
    forward = 7 * 8 * 4 * 4 * (2 * 3 * 2)  # images, channels and pixels of the output; a patch
    assert told == [(7, forward)]
    pull(y)
    assert (7, forward) in told[1:]
