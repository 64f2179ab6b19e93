"""Counting paths: integers and polynomials swept over a graph from its end to its start.

A polynomial in z counts paths by degree: the coefficient of z^k is the number of paths
whose grades sum to k.  One big integer holds a polynomial with non-negative coefficients:
its value at a power of two above every coefficient (Kronecker substitution).  Adding and
shifting whole integers then adds polynomials and multiplies them by z^a, so counts of
hundreds of digits for hundreds of degrees take as many integer additions as there are
edges.

Everywhere, ``outgoing`` holds the edges of each node that lies on a path from ``source``
to ``target``; operands have smaller numbers than outputs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .graph import GraphEdge

Outgoing = Mapping[int, Sequence[GraphEdge]]


def ways(outgoing: Outgoing, source: int, target: int) -> dict[int, int]:
    """Return, for each node, the number of paths from it to ``target``."""
    found = {target: 1}
    for node in sorted(outgoing):
        found[node] = sum(found[edge.target] for edge in outgoing[node])
    found.setdefault(source, 0)
    return found


def longest(outgoing: Outgoing, source: int, target: int, grades: Sequence[int]) -> int:
    """Return the largest degree of a path; -1 where there is no path."""
    found = {target: 0}
    for node in sorted(outgoing):
        found[node] = max(found[edge.target] + grades[edge.index] for edge in outgoing[node])
    return found.get(source, -1)


def polynomials(
    outgoing: Outgoing, source: int, target: int, grades: Sequence[int], width: int, terms: int
) -> dict[int, int]:
    """Return, for each node, the polynomial that counts its paths to ``target`` by degree.

    Args:
        outgoing, source, target: the graph.
        grades: the grade of every edge, by its index.
        width: the bytes of one coefficient, from ``bytes_for``.
        terms: how many coefficients to keep, from the lowest.
    """
    mask = (1 << (8 * width * terms)) - 1
    found = {target: 1}
    for node in sorted(outgoing):
        total = 0
        for edge in outgoing[node]:
            total += found[edge.target] << (8 * width * grades[edge.index])
        found[node] = total & mask
    found.setdefault(source, 0)
    return found


def bytes_for(largest: int) -> int:
    """Return how many bytes hold every coefficient up to ``largest``."""
    return largest.bit_length() // 8 + 1


def coefficient(value: int, width: int, degree: int) -> int:
    """Return the coefficient of z^degree of a polynomial; 0 for a negative degree."""
    return value >> (8 * width * degree) & ((1 << (8 * width)) - 1) if degree >= 0 else 0


def coefficients(value: int, width: int) -> list[int]:
    """Return all coefficients of a polynomial, the lowest first."""
    data = value.to_bytes((value.bit_length() + 7) // 8, "little")
    return [int.from_bytes(data[i : i + width], "little") for i in range(0, len(data), width)]
