"""Plots: numbers over an axis, in the figures' colours.

``series`` reads named numbers, ``panel`` draws them on one pair of axes, ``across`` the lower one, ``plot`` shows and
saves panels, ``ink`` holds colours and marks, and ``markup`` makes matplotlib's SVG one that
can share a page.  On top of these stand the plotting functions: ``paths``, ``gradients``,
``activations``, ``curves`` for numbers of any kind, and ``surface`` for numbers over a plane.
"""

from .activations import ActivationsPlot, plot_activations
from .curves import plot_series
from .gradients import GradientNormsPlot, plot_gradient_norms
from .paths import PathsPlot, plot_paths
from .plot import Plot
from .surface import SurfacePlot, plot_surface

__all__ = [
    "ActivationsPlot", "GradientNormsPlot", "PathsPlot", "Plot", "SurfacePlot", "plot_activations",
    "plot_gradient_norms", "plot_paths", "plot_series", "plot_surface",
]  # fmt: skip
