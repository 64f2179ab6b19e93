"""Work on a batch shared among threads, each of which has some of the images to itself.

A BLAS shares every single product, so what one core gathered for it goes to the others, and
its idle threads spin: on two cores that has made convolutions slower than on one.  Here every
thread gathers, multiplies and writes for images of its own, with a BLAS of one thread.
"""

from __future__ import annotations

import itertools
import os
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from functools import cache
from typing import Any, TypeVar

import numpy as np
from threadpoolctl import LibController, OpenBLASController, ThreadpoolController

LEAST = 6_000_000
"""So many multiplications a thread has at least; with fewer, starting it has cost more than it gave."""

FEW = 1 << 18
"""With no more multiplications the BLAS takes one thread by itself, and needs not be asked."""

_T = TypeVar("_T")
_sharing = threading.RLock()

if sys.platform != "win32":  # a process forked meanwhile would keep the lock and the limit
    os.register_at_fork(
        before=_sharing.acquire, after_in_parent=_sharing.release, after_in_child=_sharing.release
    )


def shared(xp: Any, work: Callable[[slice], _T], images: int, multiplications: int) -> list[_T]:
    """Return what ``work`` returns for slices that make up ``images``, in their order.

    There are no more threads than the BLAS may take.  Work that comes while another is shared,
    from a thread of the user's, is done there.  The products of a lone image are the BLAS's to share.
    """
    small = images < 2 or multiplications <= FEW
    if xp is not np or small or not _sharing.acquire(blocking=False):
        return [work(slice(0, images))]
    try:
        with _one_thread_each() as allowed:
            threads = max(1, min(allowed, images, multiplications // LEAST))
            bounds = [images * k // threads for k in range(threads + 1)]
            first, *rest = (slice(a, b) for a, b in itertools.pairwise(bounds))
            if not rest:
                return [work(first)]
            with ThreadPoolExecutor(len(rest)) as others:
                try:
                    given = [others.submit(copy_context().run, work, some) for some in rest]
                except RuntimeError:  # no thread is to be had, as when Python is about to end
                    return [work(slice(0, images))]
                return [work(first), *(future.result() for future in given)]
    finally:
        _sharing.release()


@contextmanager
def _one_thread_each() -> Iterator[int]:
    """Let products take one thread, and say how many they may take outside."""
    before = [library.get_num_threads() or 1 for library in _blas()]
    allowed = min(before, default=1)
    if allowed == 1:
        yield 1
        return
    _limit([1] * len(before))
    try:
        yield allowed
    finally:
        _limit(before)


def _limit(threads: list[int]) -> None:
    for library, n in zip(_blas(), threads, strict=True):
        library.set_num_threads(n)
    OpenBLASController.clear_controlling_thread()  # else no other thread could set limits


@cache
def _blas() -> list[LibController]:
    return ThreadpoolController().select(user_api="blas").lib_controllers  # type: ignore[no-any-return]
