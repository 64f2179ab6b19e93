"""The legend: what the lines and shapes of a page's picture mean, of those that are in it."""

from __future__ import annotations

from html import escape

from ..layout import Layout, Shape

_LINE = '<svg aria-hidden="true" width="34" height="14">{}</svg>'

_DRAWN = {
    "forward": ('<path class="forward" d="M0 7H34m-6-3 6 3-6 3"/>', "forward pass"),
    "identity": ('<path class="identity" d="M34 7H0m7-4-7 4 7 4"/>', "weight-free"),
    "weight": (
        (
            '<path class="weight" d="M34 7H0"/><path class="weight solid" d="m7 3-7 4 7 4"/>'
            '<rect class="square" x="13" y="3" width="9" height="9"/>'
        ),
        "through a weight layer",
    ),
    "activation": ('<path class="activation" d="M34 7H0"/>', "an activation's derivative"),
    "plain": ('<path class="plain" d="M34 7H0m6-3-6 3 6 3"/>', "another derivative or copy"),
    "value": ('<circle class="value" cx="17" cy="7" r="6"/>', "a value"),
    "sum": (
        '<circle class="value" cx="17" cy="7" r="6"/><path class="cross" d="M13 7h8M17 3v8"/>',
        "sum",
    ),
    "off": ('<path class="weight off" d="M34 7H0"/>', "pale: off the chosen path"),
    "scope": (
        '<rect class="frame" x="2" y="1" width="30" height="12" rx="3"/>',
        "scope: press to fold",
    ),
}
"""A picture of each, and words."""


def legend(drawn: Layout | None) -> str:
    """Return the items of a list, for what a picture holds; none where there is no picture."""
    if drawn is None:
        return ""
    found = {curve.style for curve in drawn.curves} | {"off"}
    found |= {_of(shape) for shape in drawn.shapes}
    return "\n".join(
        f"<li>{_LINE.format(picture)} {escape(words)}</li>"
        for name, (picture, words) in _DRAWN.items()
        if name in found
    )


def _of(shape: Shape) -> str:
    """Return which of the legend's rows a shape belongs to."""
    if shape.style == "value":
        return {"": "value", "+": "sum"}.get(shape.sign, "")
    return "scope" if shape.style == "cluster" else shape.style
