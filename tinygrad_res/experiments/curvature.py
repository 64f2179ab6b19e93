"""Second derivatives of a network's loss: products with the Hessian, its spectrum, its ends.

The gradient by all parameters is recorded once; each product H v is then one backward sweep over
that record, of the number <gradient, v> (Pearlmutter 1994, Fast Exact Multiplication by the
Hessian).  The parameters count as one vector, in the order of ``network.parameters()``.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .. import backend, primitives
from ..errors import GradientError
from ..nn import Module
from ..tensor import Tensor

Product = Callable[[np.ndarray], np.ndarray]


def hessian_product(network: Module, loss: Tensor) -> Product:
    """Return v -> H v for the Hessian H of a recorded loss by the network's parameters.

    The parameters' ``grad`` is left empty.

    Raises:
        GradientError: the loss does not depend on a parameter.

    >>> import tinygrad_res as tg
    >>> line = tg.nn.Linear(2, 1, bias=False).to(dtype="float64")
    >>> product = hessian_product(line, (line(np.array([[1.0, 3.0]])) ** 2).sum())
    >>> product(np.array([1.0, 0.0]))
    array([2., 6.])
    """
    parameters = network.parameters()
    network.zero_grad()
    loss.backward(create_graph=True)
    slopes = [p.grad for p in parameters]
    network.zero_grad()
    if any(slope is None for slope in slopes):
        raise GradientError("hessian_product: the loss does not depend on every parameter")
    ends = np.cumsum([p.size for p in parameters])

    def product(v: np.ndarray) -> np.ndarray:
        parts = np.split(np.asarray(v, dtype=loss.dtype).ravel(), ends[:-1])
        along = [
            (slope * backend.to_device(part.reshape(p.shape), p.device)).sum()
            for slope, part, p in zip(slopes, parts, parameters, strict=True)
            if slope is not None and slope.requires_grad
        ]
        if along:
            primitives.stack(along).sum().backward()
        found = [np.zeros(p.shape) if p.grad is None else p.grad.numpy() for p in parameters]
        network.zero_grad()
        return np.concatenate([part.ravel() for part in found])

    return product


def hessian(network: Module, loss: Tensor) -> np.ndarray:
    """Return the Hessian (n, n) of a recorded loss by the network's n parameters."""
    product = hessian_product(network, loss)
    return np.stack([product(unit) for unit in np.eye(network.size())])


def extreme_eigenvalues(network: Module, loss: Tensor, seed: int = 0) -> tuple[float, float]:
    """Return the smallest and the largest eigenvalue of the Hessian, by Lanczos' method.

    Raises:
        GradientError: the iteration does not converge.

    >>> import tinygrad_res as tg
    >>> net = tg.nn.Linear(4, 1, bias=False).to(dtype="float64")
    >>> squares = np.diag(np.sqrt([1.0, 2.0, 3.0, 4.0]))
    >>> low, high = extreme_eigenvalues(net, (net(squares) ** 2).sum() / 2)
    >>> round(low, 6), round(high, 6)
    (1.0, 4.0)
    """
    from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh

    n = network.size()
    operator = LinearOperator((n, n), matvec=hessian_product(network, loss), dtype=np.float64)
    start = np.random.default_rng(seed).standard_normal(n)
    try:
        ends = eigsh(operator, k=2, which="BE", v0=start, tol=1e-3, return_eigenvectors=False)
    except ArpackNoConvergence as error:
        raise GradientError(f"extreme_eigenvalues: no convergence ({error})") from None
    return float(ends.min()), float(ends.max())
