"""Graphs in files: JSON, which holds all of a graph but its arrays, and GraphML.

JSON is networkx's node-link form of ``Graph.to_networkx``.  GraphML (Brandes et al. 2002) is
what Gephi, yEd and others read; it has texts, numbers and truth values, and no lists.
"""

from __future__ import annotations

import io
import json
import math
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from .errors import DataError, UsageError
from .exchange import from_networkx, to_networkx
from .files import write_whole
from .graph import Graph
from .graph_rows import (
    EDGE,
    FORMAT,
    NODE,
    VERSION,
    Row,
    built,
    edge_rows,
    listed,
    node_rows,
    shortened,
)
from .whole_numbers import whole


def to_json(graph: Graph) -> str:
    """Return a graph as ``Graph.to_json`` describes it."""
    written = {
        "directed": True,
        "multigraph": True,
        "graph": {"format": FORMAT, "version": VERSION, "level": graph.level},
        "nodes": [_without_defaults(row, NODE) for row in node_rows(graph)],
        "edges": [_without_defaults(row, EDGE) for row in edge_rows(graph)],
    }
    text = json.dumps(written, separators=(",", ":"))
    return text.replace("<", "\\u003c")  # else "</script>" in a name ends the script that holds it


def from_json(text: str) -> Graph:
    """Return the graph that ``Graph.to_json`` wrote.

    The file may be written by hand: attributes that are left out are 0, false or empty, and
    ``id`` counts nodes from 0, operands first.

    Raises:
        DataError: the text is no such graph; the message says where.

    >>> import tinygrad_res as tg
    >>> x = tg.tensor(3.0, requires_grad=True, name="x")
    >>> g = tg.graph(x * x).scalar()
    >>> from_json(g.to_json()).edges == list(g.edges)
    True
    """
    if not isinstance(text, str):
        raise DataError(f"from_json: expected a text, got {type(text).__name__}")
    try:
        read = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"from_json: the text is not JSON: {error}") from error
    about = _part(read, "graph", dict)
    nodes, edges = _part(read, "nodes", list), _part(read, "edges", list)
    if about.get("format") != FORMAT or read.get("directed") is not True:
        raise DataError(
            f"from_json: format={about.get('format')!r}: this is no graph that Graph.to_json wrote, "
            f"which says format={FORMAT!r} and directed=true; networkx reads other graphs, and "
            "tg.from_networkx takes them"
        )
    if whole(about.get("version")) is None or about["version"] > VERSION:
        raise DataError(
            f"from_json: version={about.get('version')!r}, and this release reads up to "
            f"{VERSION}: update tinygrad_res"
        )
    _check_ends(nodes, edges)
    edges.sort(key=lambda row: row["source"])
    outputs = [i for i, row in enumerate(nodes) if row.get("output")]
    if not outputs or outputs != list(range(outputs[0], len(nodes))):
        raise DataError("from_json: the last nodes, and no others, must say output=true")
    return built("from_json", about.get("level"), nodes, edges, len(outputs))


def _without_defaults(row: Row, table: Mapping[str, tuple[Any, Any]]) -> Row:
    """Return what JSON needs of a row: not what is empty by default; infinite numbers as text."""
    kept = {k: v for k, v in row.items() if v or k not in table or v != table[k][0]}
    derivative = kept.get("derivative", 0.0)
    return kept if math.isfinite(derivative) else kept | {"derivative": str(derivative)}


def _part(read: Any, name: str, kind: type) -> Any:
    """Return a part of what was read, of the kind that it must be."""
    if not isinstance(read, dict) or not isinstance(read.get(name), kind):
        there = read.get(name) if isinstance(read, dict) else read
        wanted = "an object" if kind is dict else "a list of objects"
        raise DataError(
            f"from_json: {name!r} must be {wanted}, and is {shortened(there)}: pass what "
            "Graph.to_json wrote"
        )
    return read[name]


def _check_ends(nodes: list[Any], edges: list[Any]) -> None:
    """Refuse nodes that are not counted from 0, and edges that do not lead to an operand."""
    for name, rows in (("nodes", nodes), ("edges", edges)):
        for i, row in enumerate(rows):
            if type(row) is not dict:
                raise DataError(f"from_json: {name}[{i}] must be an object: {shortened(row)}")
    for i, row in enumerate(nodes):
        if row.get("id") != i:
            raise DataError(
                f"from_json: nodes[{i}] has id={shortened(row.get('id'))}: ids count nodes from "
                f"0, so it must be {i}"
            )
    for i, row in enumerate(edges):
        source, target = row.get("source"), row.get("target")
        if type(source) is not int or type(target) is not int:
            raise DataError(
                f"from_json: edges[{i}] needs source and target, the ids of two nodes: "
                f"{shortened(row)}"
            )
        if not 0 <= target < source < len(nodes):
            raise DataError(
                f"from_json: edges[{i}] leads from {source} to {target}: of {len(nodes)} nodes it "
                "must lead to one with a smaller id"
            )


# GraphML


def to_graphml(graph: Graph) -> str:
    """Return a graph as ``Graph.to_graphml`` describes it."""
    import networkx

    found = to_networkx(graph)
    for node, row in found.nodes(data=True):
        for name, value in row.items():
            if isinstance(value, tuple):
                row[name] = json.dumps(value)
            elif isinstance(value, str):
                _refuse_in_xml(value, f"node {node}: {name}")
    for source, target, row in found.edges(data=True):
        _refuse_in_xml(row["label"], f"edge {source} -> {target}: label")
    written = io.BytesIO()
    networkx.write_graphml_xml(found, written)
    return written.getvalue().decode().replace("\r", "&#13;")  # XML reads a bare one as a line feed


def _from_graphml(text: str) -> Graph:
    """Return the graph of a GraphML document, ours or another program's."""
    from xml.etree.ElementTree import ParseError

    import networkx

    try:
        found = networkx.parse_graphml(text)
    except (ParseError, networkx.NetworkXError, KeyError, ValueError, TypeError) as error:
        raise DataError(f"load_graph: the file is no GraphML: {error}") from error
    ours = found.graph.get("format") == FORMAT
    undeclared = [node for node, row in found.nodes(data=True) if ours and "kind" not in row]
    if undeclared:
        raise DataError(
            f"load_graph: an edge leads from or to {listed(undeclared)}, and the file has no such "
            "node: it is damaged"
        )
    counted = found.graph.get("level") in ("tensor", "scope")
    return from_networkx(found, None if counted else "derivative")


def _refuse_in_xml(text: str, what: str) -> None:
    """Refuse characters that are not in production 2 of XML 1.0."""
    for character in text:
        code = ord(character)
        control = code < 32 and character not in "\t\n\r"
        if control or 0xD800 <= code < 0xE000 or code in (0xFFFE, 0xFFFF):
            raise DataError(
                f"to_graphml: {what}={text!r} has the character U+{code:04X}, which XML cannot "
                "hold: rename it, or write JSON"
            )


# Files


FILES: dict[str, tuple[Callable[[Graph], str], Callable[[str], Graph]]] = {
    ".json": (to_json, from_json),
    ".graphml": (to_graphml, _from_graphml),
}
"""For each ending of a file's name, what writes the file and what reads it."""


def save(graph: Graph, path: str | os.PathLike[str]) -> Path:
    """Write a graph to a file as ``Graph.save`` describes it."""
    write, _ = _by_ending("save", path)
    return write_whole(path, write(graph).encode())


def load_graph(path: str | os.PathLike[str]) -> Graph:
    """Return the graph that ``Graph.save`` wrote, or another GraphML file as ``from_networkx`` takes it.

    Raises:
        UsageError: the name does not end in ``.json`` or ``.graphml``.
        DataError: the file cannot be read, or holds no graph.
    """
    _, read = _by_ending("load_graph", path)
    try:
        text = Path(path).read_bytes().decode()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"load_graph: cannot read {str(path)!r}: {error}") from error
    return read(text)


def _by_ending(
    name: str, path: str | os.PathLike[str]
) -> tuple[Callable[[Graph], str], Callable[[str], Graph]]:
    if not isinstance(path, (str, os.PathLike)):
        raise UsageError(f"{name}: expected a file's name, got {type(path).__name__}")
    ending = Path(path).suffix.lower()
    if ending not in FILES:
        raise UsageError(
            f"{name}: {str(path)!r}: a graph's file ends in {' or '.join(FILES)}, not {ending!r}"
        )
    return FILES[ending]
