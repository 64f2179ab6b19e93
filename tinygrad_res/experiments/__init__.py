"""Experiments: findings about gradients, each reproduced by one command.

An experiment is a function of ``(quick, seed, executor)`` and more keywords of its own; its
result has ``table()``, ``plot()`` and ``save(path)``.  ``EXPERIMENTS`` lists them under the
names that ``tinygrad-res experiment NAME`` takes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from .active_paths import dead_units, forward_sums
from .added_layers import identity_mapping
from .depth import degradation
from .effective_paths import effective_path_length
from .five_blocks_study import five_blocks
from .junctions import chain_rule, fully_connected
from .length_report import EffectivePathLength
from .lengths import Lengths, at_random, path_lengths
from .lesion_study import lesions
from .outcome import Outcome
from .resnet_lengths import resnet_path_lengths
from .response_study import responses
from .sensitivity_study import sensitivity
from .shattering import shattered_gradients
from .short_path_training import short_paths
from .shortcuts import additions_and_concatenations, residual_module
from .singularity_study import singularities
from .skip_regression import pruned_regression
from .slopes import activations
from .surface_study import loss_surfaces
from .vanishing import vanishing_gradients
from .variants import shortcut_variants
from .zoo_study import zoo

__all__ = [
    "EXPERIMENTS", "EffectivePathLength", "Experiment", "Lengths", "activations",
    "additions_and_concatenations", "at_random", "chain_rule", "dead_units", "degradation",
    "effective_path_length", "five_blocks", "forward_sums", "fully_connected", "identity_mapping",
    "lesions", "loss_surfaces", "path_lengths", "pruned_regression", "residual_module", "resnet_path_lengths",
    "responses", "sensitivity", "shattered_gradients", "short_paths", "shortcut_variants", "singularities", "vanishing_gradients",
    "zoo",
]  # fmt: skip


class Experiment(NamedTuple):
    """A row of the table: what to run, and what it shows in one line."""

    run: Callable[..., Outcome]
    shows: str


EXPERIMENTS = {
    "lesions": Experiment(
        lesions, "deleted and swapped layers: residual networks degrade, plain ones collapse"
    ),
    "shattered-gradients": Experiment(
        shattered_gradients,
        "with depth a plain network's gradients at two inputs have nothing in common",
    ),
    "path-lengths": Experiment(
        resnet_path_lengths,
        "which path lengths carry a ResNet's gradient: Veit et al.'s estimate, and exactly",
    ),
    "singularities": Experiment(
        singularities, "shortcuts keep the directions of layers and break the symmetry of units"
    ),
    "short-paths": Experiment(
        short_paths, "a residual network trained along its short paths only, tested whole"
    ),
    "loss-surface": Experiment(
        loss_surfaces, "the loss on a plane around trained networks, with shortcuts and without"
    ),
    "activations": Experiment(
        activations,
        "what an activation's derivative leaves of a gradient: sigmoid, tanh, relu",
    ),
    "shortcut-variants": Experiment(
        shortcut_variants,
        "whatever stands on the shortcuts is multiplied along the path that avoids all branches",
    ),
    "vanishing-gradients": Experiment(
        vanishing_gradients,
        "weight layers shrink every layer's gradient, shortcuts leave a path that they do not",
    ),
    "chain-rule": Experiment(
        chain_rule, "dF/dx for F(m, n) is a sum over two routes, read from the graph"
    ),
    "fully-connected": Experiment(
        fully_connected, "one path leads to a weight of the last layer, four to one before it"
    ),
    "forward-paths": Experiment(
        forward_sums, "a ReLU network's output is a sum over its active paths"
    ),
    "dead-units": Experiment(dead_units, "the paths of dead units, and no others, drop out"),
    "residual-module": Experiment(
        residual_module, "the shortcut is the path that crosses no weight layer, either way"
    ),
    "five-blocks": Experiment(
        five_blocks, "residual blocks in a row have 2^n paths; counted, weighed, and trained"
    ),
    "additions-and-concatenations": Experiment(
        additions_and_concatenations, "two kinds of shortcut have the same paths, and other ends"
    ),
    "zoo": Experiment(zoo, "parameters and paths of every network, beside the published ones"),
    "skip-regression": Experiment(
        pruned_regression, "an L1 penalty prunes a skip-layer network to the linear model, if it is"
    ),
    "degradation": Experiment(
        degradation,
        "deeper plain networks train worse than shallower ones, residual ones do not",
    ),
    "identity-mapping": Experiment(
        identity_mapping,
        "plain layers added to a trained network must learn the identity, residual ones have it",
    ),
    "sensitivity": Experiment(
        sensitivity,
        "a small relative change of H = F + x is a large relative change of F",
    ),
    "responses": Experiment(
        responses,
        "how large the layers' responses are in trained networks, plain and residual",
    ),
    "effective-path-length": Experiment(
        effective_path_length,
        "sampled single paths overstate how long the paths are that carry a gradient",
    ),
}
"""The experiments by the names that the command line takes."""
