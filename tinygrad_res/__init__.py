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

import importlib
from typing import Any

from .tensor import Parameter, Tensor, parameter, tensor  # isort: skip
from . import custom, mends, primitives, semirings
from .autodiff import grad, hessian, hvp, jacobian, jvp, value_and_grad, vjp
from .exchange import from_networkx
from .flow import Flow, edge_flow
from .formulas import Formula, formula
from .forward import ForwardPaths, forward_paths
from .graph import Graph
from .graph_files import from_json, load_graph
from .graph_parts import GraphEdge, GraphNode
from .measures import Paths
from .numbered import Path
from .path_calculus import paths
from .pathnorm import path_norm
from .primitives import *  # noqa: F403
from .primitives import aliases, linalg
from .primitives.aliases import *  # noqa: F403
from .record import no_grad, scope
from .snapshot import graph

from . import data, nets, nn, optim  # isort: skip

__version__ = "0.1.0"

__all__ = [
    "Flow", "Formula", "ForwardPaths", "Graph", "GraphEdge", "GraphNode", "Parameter", "Path", "Paths", "Tensor", "custom", "data", "edge_flow", "formula", "forward_paths", "from_json", "from_networkx", "grad", "graph",
    "hessian", "hvp", "jacobian", "jvp", "linalg", "load_graph", "nets", "nn", "no_grad", "optim", "parameter", "path_norm", "paths", "scope",
    "semirings", "tensor", "value_and_grad", "vjp",
]  # fmt: skip
__all__ += primitives.__all__
__all__ += aliases.__all__


_LATER = ("checkpoints", "experiments", "testing", "training")
"""Modules that few programs use, and that are imported when they are asked for."""


def __dir__() -> list[str]:
    return sorted([*__all__, *_LATER])


def __getattr__(name: str) -> Any:
    if name in _LATER:
        return importlib.import_module(f"{__name__}.{name}")
    raise mends.missing(f"module {__name__!r}", name, mends.PACKAGE)
