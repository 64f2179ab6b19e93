"""One thread: matrix products that come out the same on every machine's number of cores.

A BLAS shares a product among threads, and how many there are decides in which order sums are
rounded, so training would give other numbers where OPENBLAS_NUM_THREADS is another.  Its
threads also wait for one another on cores that others use, which has made networks as small as
those of experiments ten times slower.  The limit holds for a whole process: with cells in
several threads it lasts from the first to come to the last to go.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

from threadpoolctl import OpenBLASController, threadpool_limits

_LOCK = threading.Lock()
_LIMITS: list[threadpool_limits] = []


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Compute what is inside with one thread of NumPy's and SciPy's BLAS, as before afterwards.

    >>> import numpy as np
    >>> with one_thread():
    ...     (np.eye(2) @ np.ones(2)).tolist()
    [1.0, 1.0]
    """
    with _for_any_thread():
        _LIMITS.append(threadpool_limits(1, "blas"))
    try:
        yield
    finally:
        with _for_any_thread():  # the last one's, so that the first one's is left for the last
            _LIMITS.pop().restore_original_limits()


@contextlib.contextmanager
def _for_any_thread() -> Iterator[None]:
    """Let this thread set limits, which of OpenBLAS only the first that did can, and then others."""
    with _LOCK:
        OpenBLASController.clear_controlling_thread(force=True)
        yield
        OpenBLASController.clear_controlling_thread(force=True)
