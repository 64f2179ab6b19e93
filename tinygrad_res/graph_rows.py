"""The form of a graph outside: rows of attributes, and how they are read back.

A node is its attributes, an edge is its two ends and its attributes, and the attributes are
the fields of ``GraphNode`` and ``GraphEdge`` by their names.  The two tables here say what an
attribute is where it is left out, and how it is read; whatever comes from outside goes
through them.  Arrays stay behind.
"""

from __future__ import annotations

import itertools
import json
import numbers
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from .errors import DataError
from .given import GivenGraph
from .graph import Graph
from .graph_parts import DIFFERS, GRADES, GraphEdge, GraphNode
from .whole_numbers import whole

FORMAT, VERSION = "tinygrad_res graph", 1
ENDS = ("source", "target")
LEVELS = ("tensor", "scalar", "scope")
Row = dict[str, Any]
Table = dict[str, tuple[Any, Callable[[Any], Any]]]
UNREADABLE = (ValueError, TypeError, OverflowError, RecursionError)


# How attributes are read: each of these returns the value, or says what it must be.


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("must be a text")
    return str(value)


def _truth(value: Any) -> bool:
    if value is not True and value is not False:
        raise ValueError("must be true or false")
    return bool(value)


def count(value: Any) -> int:
    """Return a whole number that fits an array of indices."""
    found = value if type(value) is int else whole(value)
    if found is None or not 0 <= found < 2**31:
        raise ValueError("must be a whole number from 0 to 2^31 - 1")
    return found


def _grade_of_step(value: Any) -> int:
    return value if value == DIFFERS and type(value) is int else count(value)


def _counts(value: Any) -> tuple[int, ...]:
    if isinstance(value, str):  # GraphML has no lists
        value = json.loads(value)
    if not isinstance(value, (list, tuple)):
        raise ValueError("must be a list of whole numbers")
    return tuple(map(count, value))


def number(value: Any) -> float:
    """Return a real number as a float."""
    if type(value) is float:
        return value
    if isinstance(value, str) and value in ("nan", "inf", "-inf"):  # JSON has no such numbers
        return float(value)
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        substitute = " with numbers for its symbols" if hasattr(value, "free_symbols") else ""
        raise ValueError(f"must be a real number: give float(...) of it{substitute}")
    return float(value)


def _or_none(read: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: None if value is None else read(value)


NODE: Table = {
    "op": ("", _text),
    "name": (None, _or_none(_text)),
    "kind": ("operation", _text),
    "scope": ("", _text),
    "shape": ((), _counts),
    "dtype": ("float64", _text),
    "weight_valued": (False, _truth),
    "requires_grad": (True, _truth),
    "element": (None, _or_none(_counts)),
}
"""For each attribute of a node, its value where it is left out, and how it is read."""

EDGE: Table = {
    "position": (0, count),
    "family": ("", _text),
    "label": ("", _text),
    "weight": (0, count),
    "scale": (0, count),
    "activation": (0, count),
    "block": (0, count),
    "is_identity": (False, _truth),
    "derivative": (None, _or_none(number)),
}
"""The same for edges."""


# From a graph to rows, and back


def node_rows(graph: Graph) -> Iterator[Row]:
    """Yield each node's number, attributes and label, and whether it belongs to the output."""
    first = graph.outputs[0]
    for node in graph.nodes:
        row = {"id": node.index} | _attributes(node, NODE) | {"label": node.label}
        yield row | {"output": True} if node.index >= first else row


def edge_rows(graph: Graph) -> Iterator[Row]:
    """Yield each edge's ends, its number as its key, and its attributes."""
    for edge in graph.edges:
        ends = {"source": edge.source, "target": edge.target, "key": edge.index}
        yield ends | _attributes(edge, EDGE)


def _attributes(of: GraphNode | GraphEdge, names: Iterable[str]) -> Row:
    return {name: value for name in names if (value := getattr(of, name)) is not None}


def built(
    name: str, level: Any, nodes: Sequence[Row], edges: Sequence[Row], outputs: int
) -> GivenGraph:  # fmt: skip
    """Return the graph of rows whose ends were checked; attributes are read here.

    Args:
        name: the function to name in messages.
        level: of the graph.
        nodes: operands first, the outputs last.
        edges: sorted by source.
        outputs: how many nodes belong to the output.

    Raises:
        DataError: an attribute is not what it must be, or a derivative is missing.
    """
    if level not in LEVELS:
        raise DataError(f"{name}: level={level!r}: it must be one of {', '.join(LEVELS)}")

    def node(i: int) -> str:
        return f"node {nodes[i].get('name', i)}"

    def edge(i: int) -> str:
        source, target = (nodes[edges[i][end]].get("name", edges[i][end]) for end in ENDS)
        return f"edge {way([source, target])}"

    values = [_column(nodes, *item, node, name) for item in NODE.items()]
    found = [GraphNode(i, *row) for i, row in enumerate(zip(*values))]
    values = [[row[end] for row in edges] for end in ENDS]
    table: Table = EDGE
    if level == "scope":
        table = EDGE | dict.fromkeys(GRADES, (0, _grade_of_step))
    values += [_column(edges, *item, edge, name) for item in table.items()]
    if level == "scalar" and None in values[-1]:
        raise DataError(
            f"{name}: {edge(values[-1].index(None))} has no derivative, at scalar level"
        )
    return GivenGraph(
        level, found, [GraphEdge(i, *row) for i, row in enumerate(zip(*values))], outputs
    )


def _column(
    rows: Sequence[Row], attribute: str, how: tuple[Any, Callable[[Any], Any]],
    where: Callable[[int], str], name: str,
) -> list[Any]:  # fmt: skip
    """Return one attribute of all rows, each of which ``where`` can name."""
    default, read = how
    try:
        return [read(row.get(attribute, default)) for row in rows]
    except UNREADABLE:
        for i, row in enumerate(rows):
            read_as(read, row.get(attribute, default), f"{name}: {where(i)}", attribute)
        raise


def read_as(read: Callable[[Any], Any], value: Any, where: str, attribute: str) -> Any:
    """Return an attribute as it is read.

    Raises:
        DataError: it cannot be.
    """
    try:
        return read(value)
    except UNREADABLE as error:
        raise DataError(f"{where}: {attribute}={shortened(value)} {error}") from error


def way(nodes: Iterable[Any]) -> str:
    """Return nodes as stations of a path."""
    return " -> ".join(map(str, nodes))


def listed(nodes: Iterable[Any]) -> str:
    """Return the first few of many nodes."""
    first = [str(node) for node in itertools.islice(nodes, 6)]
    return ", ".join([*first[:5], "..."] if len(first) > 5 else first)


def shortened(value: Any) -> str:
    """Return what a value looks like, in a message."""
    shown = repr(value)
    return shown if len(shown) < 80 else f"{shown[:76]} ..."
