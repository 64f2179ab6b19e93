r"""Symbols: which values a formula calls what, so that no two share a symbol.

A formula is read beside a picture, so a value has the name that the picture shows: the one
that the user gave it, or else v and a number (see ``tinygrad_res.numbering``); the one number
that all paths start at is L.  An element of an array carries its indices as superscripts,
counted from 1: ``w_{n-1}^{11}``.

An array that the user gave no name is x where it is data, in a product of arrays, and else
c; arrays of the same numbers are the same one.  An element of an unnamed copy, such as a
transpose or a slice, is written as the element that it copies.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import replace
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from . import backend
from .backend import Array
from .dag import on_a_path
from .expansion import entries
from .families import Contraction, Structural
from .frames import Frame
from .graph import Graph
from .graph_parts import GraphNode
from .notation import Sign, clean, over, symbol, under
from .numbering import stand_ins
from .record import Leaf, Node
from .scalar import ScalarGraph


class Symbols:
    """The symbols of a graph's values: no two values have the same one.

    Args:
        frame: the paths that unnamed values are counted along.
        first_index: what the first index of an array is called.
        indices: ``"superscript"`` or ``"subscript"``, where LaTeX has them.
    """

    def __init__(self, frame: Frame, first_index: int, indices: str = "superscript") -> None:
        self._graph, self._first, self._indices = frame.graph, first_index, indices
        graph = frame.graph
        self._arrays = graph.parent if isinstance(graph, ScalarGraph) else graph
        self._root = _single_root(frame)
        if frame not in _names:
            _names[frame] = _named(self._arrays, self._called(frame))
        self._nodes, self._constants = _names[frame]
        self._copied: dict[Node, Array] = {}

    def owner(self, number: int) -> int:
        """Return the number of the array that a node is an element of, or is."""
        if isinstance(self._graph, ScalarGraph):
            return int(np.searchsorted(self._graph.first, number, side="right")) - 1
        return number

    def is_named(self, number: int) -> bool:
        """Say whether the user gave a node its name."""
        return bool(_given(self._arrays.nodes[self.owner(number)].name))

    def node(self, number: int) -> Sign:
        """Return the symbol of a node of the graph."""
        owner = self.owner(number)
        shape = self._arrays.nodes[owner].shape
        element = () if number == self._root else self._graph.nodes[number].element or ()
        return self._indexed(self._nodes[owner], element, shape)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shapes of the arrays, by their symbols as text."""
        return {
            sign.text: tuple(node.shape)
            for sign, node in zip(self._nodes, self._arrays.nodes, strict=True)
        }

    def made_in(self, text: str) -> dict[str, str]:
        """Return the arrays without a name that a formula mentions, and how each was made.

        Such as ``{"v_1": "sin(a)"}``; with those that these were made from.
        """
        mentioned = {*_WORDS.findall(text)} - {"L"}
        found = {}
        for sign, node in zip(self._nodes[::-1], self._arrays.nodes[::-1], strict=True):
            if node.op and sign.text in mentioned and not _given(node.name):
                found[sign.text] = self._made(node)
                mentioned.update(_WORDS.findall(found[sign.text]))
        return {name: found[name] for name in sorted(found, key=lambda name: (len(name), name))}

    def _made(self, node: GraphNode) -> str:
        """Return the operation that made an array, and what of, where that is kept."""
        made = node.recorded
        words = [] if made is None else [
            self._nodes[self._arrays._recorded[parent]].text
            if parent in self._arrays._recorded else _short(value)
            for parent, value in zip(made.parents, made.saved[1:], strict=False)
        ]  # fmt: skip
        return f"{node.op}({', '.join(words)})"

    def _called(self, frame: Frame) -> dict[int, str]:
        """Return what arrays without a name are called."""
        used = on_a_path(frame.size, [frame.root], frame.ends, frame.sources, frame.targets)
        used &= frame.sources < len(self._graph.nodes)
        pairs = {
            (self.owner(a), self.owner(b))
            for a, b in zip(frame.sources[used].tolist(), frame.targets[used].tolist(), strict=True)
        }
        return stand_ins(
            self._arrays, pairs, None if self._root is None else self.owner(self._root)
        )

    def known(self, record: Node | None, element: Sequence[int] = ()) -> Sign | None:
        """Return the symbol of a value that the user named or made, or of one of its elements.

        ``None`` for what operations made on the way.
        """
        if record is None:
            return None
        record, element = self._origin(record, element)
        owner = self._arrays._recorded.get(record)
        if owner is None or not (_given(record.name) or isinstance(record, Leaf)):
            return None
        return self._indexed(self._nodes[owner], element, record.shape)

    def operand(self, record: Node, position: int, element: Sequence[int] = ()) -> Sign | None:
        """Return the symbol of an operand, or of one of its elements; ``None`` for a number."""
        parent = record.parents[position]
        if parent in self._arrays._recorded:
            parent, element = self._origin(parent, element)
            name = self._nodes[self._arrays._recorded[parent]]
            return self._indexed(name, element, parent.shape)
        constant = self._constants.get((self._arrays._recorded[record], position))
        return constant and self._indexed(constant, element, record.saved[position + 1].shape)

    def is_constant(self, record: Node, position: int) -> bool:
        """Say whether an operand is a number, or an array that the user gave no name."""
        return record.parents[position] not in self._arrays._recorded

    def _origin(self, record: Node, element: Sequence[int]) -> tuple[Node, Sequence[int]]:
        """Return the value, and its element, that an unnamed copy of elements shows."""
        scalar = self._graph.level == "scalar"
        while scalar and not _given(record.name) and isinstance(record.primitive, Structural):
            if record not in self._copied:
                self._copied[record] = _copied(record)
            place = np.ravel_multi_index(tuple(element), record.shape) if element else 0
            position, column = self._copied[record][:, place].tolist()
            parent = record.parents[position]
            if column < 0 or parent not in self._arrays._recorded:
                break
            record, element = parent, tuple(map(int, np.unravel_index(column, parent.shape)))
        return record, element

    def _indexed(self, name: Sign, element: Sequence[int], shape: Sequence[int]) -> Sign:
        if not element:
            return name
        numbers = [i + self._first for i in element]
        longest = [n - 1 + self._first for n in shape] or numbers
        joined = ("," if max(longest) > 9 else "").join(map(str, numbers))
        latex = f"{over(name.latex)}^{{{joined}}}"
        if self._indices == "subscript":
            latex = f"{{{name.latex}}}_{{{joined}}}"
        return Sign(latex, f"{name.text}[{','.join(map(str, numbers))}]")


def _copied(record: Node) -> Array:
    """Return for each element of a structural operation whose element it is: operand and place.

    The place is -1 where it is none's alone.
    """
    found = np.full((2, math.prod(record.shape)), -1)
    for position, parent in enumerate(record.parents):
        if parent is not None:
            rows, columns, _ = entries(replace(record, wanted=(position,)), position)
            rows, first, times = np.unique(rows, return_index=True, return_counts=True)
            found[0, rows] = position
            found[1, rows] = np.where(times == 1, columns[first], -1)
    return found


Named = tuple[list[Sign], dict[tuple[int, int], Sign]]
_WORDS = re.compile(r"\w+")
_names: WeakKeyDictionary[Frame, Named] = WeakKeyDictionary()


def _single_root(frame: Frame) -> int | None:
    """Return the node that all paths start at, if it is one number without a name."""
    if frame.firsts:
        return None
    node = frame.graph.nodes[frame.root]
    single = node.element is not None or math.prod(node.shape) == 1
    return frame.root if single and node.op and not _given(node.name) else None


def _named(graph: Graph, called: dict[int, str]) -> Named:
    """Return a symbol for each node, and for each array without one, by node and operand.

    Args:
        graph: at tensor level.
        called: what values without a name are called.
    """
    nodes = [
        (
            node.name or "",
            called.get(node.index, "W" if node.kind == "parameter" else "x"),
            node.element,
        )
        for node in graph.nodes
    ]
    places, arrays = dict[tuple[int, int], int](), dict[Hashable, int]()
    letters = list[tuple[str, str, Any]]()
    for place, letter, array in _constants(graph):
        values = backend.to_host(array)
        digest = hashlib.blake2b(np.ascontiguousarray(values).data).digest()
        key = (letter, values.shape, values.dtype.str, digest)
        if key not in arrays:
            arrays[key] = len(nodes) + len(letters)
            letters.append(("", letter, None))
        places[place] = arrays[key]
    signs = _unique([*nodes, *letters])
    return signs[: len(nodes)], {place: signs[i] for place, i in places.items()}


def _constants(graph: Graph) -> Iterator[tuple[tuple[int, int], str, Any]]:
    """Yield node, operand, letter and array of each array that is no node, where it is kept."""
    for record, number in graph._recorded.items():
        for position, parent in enumerate(record.parents):
            array = record.saved[position + 1]
            if parent not in graph._recorded and backend.is_array(array):
                letter = "x" if isinstance(record.primitive, Contraction) else "c"
                yield (number, position), letter, array


def _unique(values: Sequence[tuple[str, str, Any]]) -> list[Sign]:
    """Return a symbol for each value of a name, a stand-in for it, and an element.

    Those that would share one are numbered.
    """
    given = [clean(name) for name, _, _ in values]
    names = [name or stand_in for name, (_, stand_in, _) in zip(given, values, strict=True)]
    signs = [Sign(symbol(name), name) for name in names]
    keys = [
        (sign.latex, bool(name), element)
        for sign, name, (_, _, element) in zip(signs, given, values, strict=True)
    ]
    times, last = Counter(keys), Counter[str]()
    taken = {sign.latex for sign, name in zip(signs, given, strict=True) if name}
    for i, sign in enumerate(signs):
        if times[keys[i]] == 1 and (given[i] or sign.latex not in taken):
            continue
        form, latex = ("({})" if given[i] else "{}"), sign.latex
        while latex in taken or latex == sign.latex:
            last[sign.latex] += 1
            k = form.format(last[sign.latex])
            latex = f"{under(sign.latex)}_{{{k}}}"
        taken.add(latex)
        signs[i] = Sign(latex, f"{sign.text}_{k}")
    return signs


def _short(value: Any) -> str:
    """Return an operand that is no value of the graph: a number, or that there was one."""
    return f"{value:.3g}" if isinstance(value, (int, float)) else "..."


def _given(name: str | None) -> str:
    """Return the name that the user gave, as figures show it; empty where there is none."""
    return clean(name or "")
