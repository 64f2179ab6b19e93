"""tinygrad_res: reverse-mode automatic differentiation that shows where a gradient comes from.

>>> import tinygrad_res as tg
>>> x = tg.tensor([1.0, 2.0], requires_grad=True, name="x")
>>> y = (x * x).sum()
>>> y.backward()
>>> x.grad
tensor([2., 4.])
>>> tg.paths(y, x).count()
2
"""

from .tensor import Parameter, Tensor, parameter, tensor  # isort: skip
from . import primitives
from .autodiff import grad, hessian, hvp, jacobian, jvp, value_and_grad, vjp
from .primitives import *
from .record import no_grad, scope
from .graph import Graph, graph
from .paths import Path, Paths, paths
