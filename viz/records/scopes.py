"""The scopes of a graph on the grid: rectangles of cells that hold their own sites only.

A scope that was entered several times, or whose sites stand apart, becomes several
rectangles of the same name; none holds a site from elsewhere, and two of them lie apart or
one inside the other.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from .spine import Grid, Site


@dataclass(frozen=True)
class Cluster:
    """A part of a scope.

    Attributes:
        scope: the names of the scopes, outermost first; the last is its own.
        columns, rows: the first and the last of them.
        level: 1 more than that of the clusters inside it.
    """

    scope: tuple[str, ...]
    columns: tuple[int, int]
    rows: tuple[int, int]
    level: int


def clusters(sites: Sequence[Site], grid: Grid) -> list[Cluster]:
    """Return the clusters of all scopes, outer ones before the inner."""
    at = {
        (grid.rows[v], grid.columns[v]): v for v in range(len(sites)) if v not in grid.holder
    }  # fmt: skip
    return _within(sites, at, sorted(at), 0)


def _within(
    sites: Sequence[Site], at: dict[tuple[int, int], int], cells: Sequence[tuple[int, int]],
    depth: int,
) -> list[Cluster]:  # fmt: skip
    """Return the clusters of the scopes at a depth that are found in some cells."""
    named: dict[tuple[str, ...], list[tuple[int, int]]] = {}
    for cell in cells:
        scope = sites[at[cell]].scope
        if len(scope) > depth:
            named.setdefault(scope[: depth + 1], []).append(cell)
    owners: dict[tuple[int, int], int] = {}
    numbers = itertools.count()
    found: list[Cluster] = []
    for scope, own in named.items():
        pieces: dict[int, _Piece] = {}
        for cell in own:
            for number, piece in pieces.items():
                wider = piece.with_cell(cell)
                added = wider.outside(piece)
                if all(_is_open(c, number, scope, owners, at, sites) for c in added):
                    wider.held.append(cell)
                    pieces[number] = wider
                    owners.update(dict.fromkeys(added, number))
                    break
            else:
                if cell not in owners:
                    number = next(numbers)
                    pieces[number] = _Piece(cell[0], cell[0], cell[1], cell[1], [cell])
                    owners[cell] = number
        for piece in pieces.values():
            inner = _within(sites, at, piece.held, depth + 1)
            level = 1 + max((cluster.level for cluster in inner), default=0)
            columns, rows = (piece.left, piece.right), (piece.top, piece.bottom)
            found += [Cluster(scope, columns, rows, level), *inner]
    return found


@dataclass
class _Piece:
    """A rectangle of cells, and those of its scope's sites in it."""

    top: int
    bottom: int
    left: int
    right: int
    held: list[tuple[int, int]]

    def with_cell(self, cell: tuple[int, int]) -> _Piece:
        """Return the rectangle around it and one more cell."""
        row, column = cell
        return _Piece(
            min(self.top, row), max(self.bottom, row), min(self.left, column),
            max(self.right, column), self.held,
        )  # fmt: skip

    def outside(self, smaller: _Piece) -> list[tuple[int, int]]:
        """Return its cells that another rectangle within it does not have."""
        return [
            (row, column)
            for row in range(self.top, self.bottom + 1)
            for column in (
                range(self.left, self.right + 1)
                if not smaller.top <= row <= smaller.bottom
                else itertools.chain(
                    range(self.left, smaller.left), range(smaller.right + 1, self.right + 1)
                )
            )
        ]


def _is_open(
    cell: tuple[int, int], number: int, scope: tuple[str, ...],
    owners: dict[tuple[int, int], int], at: dict[tuple[int, int], int], sites: Sequence[Site],
) -> bool:  # fmt: skip
    """Whether a piece may take a cell: it is of no other piece, and holds nothing foreign."""
    if owners.get(cell, number) != number:
        return False
    return cell not in at or sites[at[cell]].scope[: len(scope)] == scope
