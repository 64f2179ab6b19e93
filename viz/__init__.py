"""Figures of where a gradient comes from.

``draw`` turns a set of paths, a graph or a loss into a ``Figure``; ``explore`` makes a page in
which each path can be walked.  ``plot_paths`` plots counts and gradient norms by degree,
``plot_gradient_norms`` the gradient at each weight layer, ``plot_activations`` activation
functions with their derivatives, ``plot_surface`` numbers over a plane, and ``plot_series`` any
other numbers in the same style.
All show themselves in Jupyter and have ``save``.
The package reads the public attributes of graphs and paths and nothing else of the
engine.  On the way a figure is plain data: a family (``chains``, ``numbers``, ``records``) puts
shapes and labels on a ``layout``, in the words of ``style``, and ``writers`` translate it.
"""

from .draw import draw
from .explore import Explorer, explore
from .figure import Figure
from .plots import (
    Plot,
    plot_activations,
    plot_gradient_norms,
    plot_paths,
    plot_series,
    plot_surface,
)

__all__ = [
    "Explorer", "Figure", "Plot", "draw", "explore", "plot_activations", "plot_gradient_norms",
    "plot_paths", "plot_series", "plot_surface",
]  # fmt: skip
