"""The experiments: every claim with its command, its numbers and its picture, from full runs.

    python notebooks/experiments.py [DIR]

runs them all, one to two hours on two cores, and writes ``experiments.md`` and the pictures in
``experiments/`` anew, beside this file.  Finished parts are kept in DIR, and a run goes on
from those that are there.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import tempfile
import textwrap
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from tinygrad_res.experiments import EXPERIMENTS

HERE = Path(__file__).resolve().parent

CLAIMS = {
    "Where a gradient comes from": {
        "chain-rule": "A derivative is a sum over routes: for F(m, n), with m and n functions of x, "
        "dF/dx = dF/dm dm/dx + dF/dn dn/dx.",
        "fully-connected": "In a fully connected network a weight of the last layer has one path to "
        "the loss, and a weight one layer before it as many as the last layer has outputs. Where a "
        "weight meets a value three edges meet, and what stands on one is the number on the other.",
        "forward-paths": "Forwards, too, a network is a sum over paths: what a ReLU network puts out is "
        "the sum over its active paths of the weights along them times the input they start from.",
        "dead-units": "The derivative of a ReLU is 1 or 0: a live unit passes a gradient on whole, and "
        "every path through a dead one drops out of the sum.",
        "activations": "Sigmoid and tanh have derivatives below 1, which multiply along a path.",
    },
    "Depth": {
        "vanishing-gradients": "Gradients die towards the input by activations and by weights: every "
        "weight layer more shrinks the gradient of all layers before it, with ReLU too. Shortcuts "
        "leave a path that no layer shrinks.",
        "degradation": "Deeper plain networks end with a higher error, on the training images as well "
        "as on others; residual ones do not, and train faster (He et al. 2015, figure 6).",
        "identity-mapping": "A deeper network could copy a shallower one and let the layers that it has "
        "more be the identity. Plain layers must learn that; residual ones need only F = 0 "
        "(He et al. 2015, section 1).",
        "responses": "Residual layers respond less than plain ones: what they add to the identity is "
        "small (He et al. 2015, figure 7).",
        "sensitivity": "With H(x) = F(x) + x a small relative change of what a block gives is a large "
        "relative change of F: a branch learns from differences.",
    },
    "Residual networks": {
        "residual-module": "The shortcut is a path that crosses no weight layer, on the way back and on "
        "the way forward; what came along it can be told apart from the rest, exactly.",
        "five-blocks": "Five blocks a[l+2] = g(z[l+2] + a[l]) in a row have 2^5 paths.",
        "zoo": "Parameters and paths of CIFAR's and ImageNet's residual networks, of VGG nets and "
        "DenseNets: bottlenecks, projections and 1202 layers included.",
        "shortcut-variants": "Whatever stands on a shortcut is multiplied along the path that avoids all "
        "branches: a factor lambda on each of n leaves lambda^n (He et al. 2016, equation 8).",
        "additions-and-concatenations": "There are two kinds of shortcut: addition, as in residual "
        "networks, and concatenation, as in DenseNet (Huang et al. 2017).",
    },
    "Why they train": {
        "loss-surface": "Without shortcuts the loss around a trained deep network is rough, with them it "
        "is smooth (Li et al. 2018).",
        "singularities": "Shortcuts keep a network away from where it is singular: units that die, units "
        "that are equal, and units that depend on one another (Orhan & Pitkow 2018).",
        "shattered-gradients": "With depth the gradients that a plain network has at two inputs lose "
        "their likeness, as noise does; a residual network's lose it slowly (Balduzzi et al. 2017).",
    },
    "Many short paths": {
        "lesions": "Deleting a layer ruins a plain network and hardly hurts a residual one; deleting or "
        "swapping several lets its error rise smoothly, as of an ensemble (Veit et al. 2016).",
        "path-lengths": "Most paths of a residual network are long, and the gradient comes through the "
        "short ones: Veit et al.'s estimate, and the exact gradient of all paths of a length.",
        "short-paths": "A network trained along its short paths alone is nearly as good as one trained "
        "whole (Veit et al. 2016, section 5).",
        "effective-path-length": "Sampled single paths overstate how long the paths are that carry a "
        "gradient, since sums of norms do not see that paths cancel.",
    },
    "Regression": {
        "skip-regression": "A network with shortcuts from inputs to outputs is the linear model plus a "
        "perturbation; an L1 penalty prunes its hidden units, and returns the linear model if the "
        "data are linear.",
    },
}

BEGINNING = """# Experiments

What articles on residual networks claim, as it comes out here. Every section is one command,
which prints the table and writes the picture; these are from the full settings, and `--quick`
takes seconds. Networks are trained on scikit-learn's digits, 8 by 8 pixels, unless you name
another source, such as CIFAR's archive: `--data cifar-10-python.tar.gz --limit 5000`. Numbers
that differ from a source's, as most errors do, stand beside them; the tables say why.
"""


def write(folder, keep, executor=None):
    """Write the page and its pictures into a folder, with what is kept in another."""
    page = [BEGINNING]
    (folder / "experiments").mkdir(exist_ok=True)
    for heading, claims in CLAIMS.items():
        page.append(f"## {heading}\n")
        for name, claim in claims.items():
            print(name, flush=True)
            outcome = EXPERIMENTS[name].run(executor=executor, folder=keep)
            outcome.save(folder / "experiments" / f"{name}.svg")
            page.append(section(name, claim, outcome.table()))
    (folder / "experiments.md").write_text("\n".join(page), encoding="utf-8")


def section(name, claim, table):
    """Return what the page says of one experiment."""
    title = name.replace("-", " ").capitalize()
    return (
        f"### {title}\n\n{textwrap.fill(claim, 100)}\n\n![{EXPERIMENTS[name].shows}](experiments/{name}.svg)\n\n"
        f"```sh\ntinygrad-res experiment {name}\n```\n\n```text\n{table.rstrip()}\n```\n"
    )


def main():
    fresh = multiprocessing.get_context("spawn")
    with (
        tempfile.TemporaryDirectory() as folder,
        ProcessPoolExecutor(os.cpu_count(), mp_context=fresh) as executor,
    ):
        write(HERE, Path(sys.argv[1] if len(sys.argv) > 1 else folder), executor)


if __name__ == "__main__":
    main()
