"""The spine: where the boxes of a graph stand, exactly and without any program's help.

The longest path to the output is the axis, a row from left to right.  What is not on it falls
into side chains, each in a row below the axis, or above it where a weight-free path leads
through, the short ones nearest.  A box stands in a
column later than all that it is computed from; so between two columns there is a gap without
a box, and between two rows a strip without one.  Lines run along rows, strips and gaps alone
(``routes``), and so no line can cross a box that it does not join, whatever the graph.

A graph is given as sites and links, numbers and sizes only; a link leads from the site of an
operand to the site of its output.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

AXIS = 0
BOX = -1
"""What a cell of the grid holds where it is not a chain's own way to its neighbours."""


@dataclass(frozen=True)
class Site:
    """A box to be placed, sizes in px.

    Attributes:
        round: whether it is a circle.
        below: the site that it hangs below, the only one it has links to; ``None`` to stand.
    """

    width: float
    height: float
    scope: tuple[str, ...] = ()
    round: bool = False
    below: int | None = None


@dataclass(frozen=True)
class Link:
    """A line to be drawn from an operand to its output.

    Attributes:
        room: the width in px of what is written on it, 0 for nothing.
        rank: links of a higher rank are taken for the axis first.
        outside: whether it is to stand out: above the axis, and over what spans as much.
    """

    operand: int
    output: int
    room: float = 0.0
    rank: int = 0
    outside: bool = False


@dataclass(frozen=True)
class Grid:
    """Which column and row every site is in; sites that hang have those of their holder.

    Attributes:
        ends: for every link, its site to the left and its site to the right.
        holder: the site that each hanging one hangs below.
        axis: the row of the axis.
        cells: what (row, column) holds: ``BOX``, or the number of the chain that passes.
        chain: the number of the chain of each site off the axis.
    """

    columns: list[int]
    rows: list[int]
    ends: list[tuple[int, int]]
    holder: dict[int, int]
    axis: int
    cells: dict[tuple[int, int], int]
    chain: dict[int, int]


def grid(sites: Sequence[Site], links: Sequence[Link], output: int) -> Grid:
    """Return the columns and rows of a graph's sites.

    Args:
        output: the site where the axis ends.

    >>> x_relu_add = [Site(50, 40), Site(50, 40), Site(22, 22, round=True)]
    >>> found = grid(x_relu_add, [Link(0, 1), Link(1, 2), Link(0, 2)], 2)
    >>> found.columns, found.rows
    ([0, 1, 2], [0, 0, 0])
    """
    order, ends = _forward(len(sites), links)
    holder = {v: site.below for v, site in enumerate(sites) if site.below is not None}
    standing = [v for v in order if v not in holder]
    left: list[list[int]] = [[] for _ in sites]
    right: list[list[int]] = [[] for _ in sites]
    for i, (u, v) in enumerate(ends):
        if u not in holder:
            left[v].append(i)
            right[u].append(i)
    axis = _axis(standing, links, ends, left, output)
    columns = _columns(sites, standing, ends, left, right, axis)
    chains = _chains(standing, ends, left, set(axis))
    above = {end for i, link in enumerate(links) if link.outside for end in ends[i]}
    rows, cells = _rows(chains, axis, columns, sites, ends, left, right, above)
    for v, held_by in holder.items():
        columns[v], rows[v] = columns[held_by], rows[held_by]
    chain = {v: k for k, several in enumerate(chains) for v in several}
    return Grid(columns, rows, ends, holder, rows[output], cells, chain)


def _forward(n: int, links: Sequence[Link]) -> tuple[list[int], list[tuple[int, int]]]:
    """Return an order of the sites, and the ends of every link in that order.

    Where boxes stand for several nodes links may run in a circle; some then run backward.
    """
    waiting = [0] * n
    after: list[list[int]] = [[] for _ in range(n)]
    for link in links:
        waiting[link.output] += 1
        after[link.operand].append(link.output)
    order: list[int] = []
    done = [False] * n
    ready = [v for v in reversed(range(n)) if not waiting[v]]
    first = 0
    while len(order) < n:
        if not ready:
            while done[first]:
                first += 1
            ready.append(first)
        v = ready.pop()
        if done[v]:
            continue
        done[v] = True
        order.append(v)
        for w in after[v]:
            waiting[w] -= 1
            if not waiting[w] and not done[w]:
                ready.append(w)
    place = {v: i for i, v in enumerate(order)}
    ends = [sorted((link.operand, link.output), key=place.__getitem__) for link in links]
    return order, [(a, b) for a, b in ends]


def _axis(
    standing: Sequence[int], links: Sequence[Link], ends: Sequence[tuple[int, int]],
    left: Sequence[Sequence[int]], output: int,
) -> list[int]:  # fmt: skip
    """Return the sites of the longest path to the output, by rank and then by length."""
    best: dict[int, tuple[int, int]] = {}
    came: dict[int, int] = {}
    for v in standing:
        best[v] = (0, 0)
        for i in left[v]:
            u = ends[i][0]
            found = (best[u][0] + links[i].rank, best[u][1] + 1)
            if found > best[v]:
                best[v], came[v] = found, u
    axis = [output]
    while axis[-1] in came:
        axis.append(came[axis[-1]])
    return axis[::-1]


def _columns(
    sites: Sequence[Site], standing: Sequence[int], ends: Sequence[tuple[int, int]],
    left: Sequence[Sequence[int]], right: Sequence[Sequence[int]], axis: Sequence[int],
) -> list[int]:  # fmt: skip
    """Return each site's column: that of the axis first, the others near what they belong to.

    A site computed from the axis stands as far to the left as it can, but not before the
    sites of its scope; one that is not, such as a second input, just before it is used.
    """
    columns, latest = [0] * len(sites), [0] * len(sites)
    fed = set(axis)
    for v in standing:
        columns[v] = max((columns[ends[i][0]] + 1 for i in left[v]), default=0)
        if any(ends[i][0] in fed for i in left[v]):
            fed.add(v)
    last = max((columns[v] for v in standing), default=0)
    on = set(axis)
    for v in reversed(standing):
        after = min((latest[ends[i][1]] - 1 for i in right[v]), default=last)
        latest[v] = columns[v] if v in on else after
    begins: dict[tuple[str, ...], int] = {}
    for v in reversed(axis):
        for k in range(1, len(sites[v].scope) + 1):
            begins[sites[v].scope[:k]] = columns[v]
    for v in standing:
        if v in fed and v not in on:
            scope = sites[v].scope
            within = next(
                (begins[scope[:k]] for k in range(len(scope), 0, -1) if scope[:k] in begins), 0
            )
            soonest = max((columns[ends[i][0]] + 1 for i in left[v]), default=0)
            columns[v] = max(soonest, min(within, latest[v]))
    for v in reversed(standing):
        if v not in fed:
            columns[v] = min((columns[ends[i][1]] - 1 for i in right[v]), default=columns[v])
    return columns


def _chains(
    standing: Sequence[int], ends: Sequence[tuple[int, int]], left: Sequence[Sequence[int]],
    axis: set[int],
) -> list[list[int]]:  # fmt: skip
    """Share what is off the axis among chains, each site after one that it is computed from."""
    chains: list[list[int]] = []
    ending: dict[int, list[int]] = {}
    for v in standing:
        if v in axis:
            continue
        before = [ending[ends[i][0]] for i in left[v] if ends[i][0] in ending]
        chain = max(before, key=len, default=[])
        if chain:
            del ending[chain[-1]]
        else:
            chains.append(chain)
        chain.append(v)
        ending[v] = chain
    return chains


def _rows(
    chains: Sequence[Sequence[int]], axis: Iterable[int], columns: Sequence[int],
    sites: Sequence[Site], ends: Sequence[tuple[int, int]], left: Sequence[Sequence[int]],
    right: Sequence[Sequence[int]], above: Collection[int],
) -> tuple[list[int], dict[tuple[int, int], int]]:  # fmt: skip
    """Give each chain the first row with room for it and for its ways to its neighbours.

    Chains of one scope stand together: over the same columns those of two scopes never mix.

    Args:
        above: the sites whose chains stand above the axis.
    """
    rows = [AXIS] * len(columns)
    cells = {(AXIS, columns[v]): BOX for v in axis}
    bands: dict[tuple[str, ...], _Band] = {}
    for v in axis:
        bands.setdefault(sites[v].scope, _Band()).widen(AXIS, columns[v], columns[v] + 1)
    on_axis = set(bands)

    def stretch(k: int) -> tuple[int, int]:
        first, last = chains[k][0], chains[k][-1]
        forks = [columns[ends[i][0]] + 1 for i in left[first]]
        merges = [columns[ends[i][1]] for i in right[last]]
        return max(forks, default=columns[first]), max(merges, default=columns[last] + 1)

    def turn(k: int) -> tuple[bool, int, tuple[str, ...], int, int, int]:
        scope, (start, stop) = sites[chains[k][0]].scope, stretch(k)
        return scope not in on_axis, -len(scope), scope, stop - start, start, k

    for k in sorted(range(len(chains)), key=turn):
        scope, (start, stop) = sites[chains[k][0]].scope, stretch(k)
        away = -1 if any(v in above for v in chains[k]) else 1
        foreign = (max(away * band.top, away * band.bottom) for other, band in bands.items()
                   if other != scope and band.left < stop and start < band.right)  # fmt: skip
        row = away * (1 + max(foreign, default=AXIS))
        while any((row, column) in cells for column in range(start, stop)):
            row += away
        cells |= {(row, column): k for column in range(start, stop)}
        for v in chains[k]:
            rows[v] = row
            cells[row, columns[v]] = BOX
        bands.setdefault(scope, _Band()).widen(row, start, stop)
    first = min(rows)
    return [row - first for row in rows], {(r - first, c): what for (r, c), what in cells.items()}


@dataclass
class _Band:
    """The columns that a scope's sites take, from ``left`` up to ``right``, and their rows."""

    top: int = AXIS
    bottom: int = AXIS
    left: int = 10**9
    right: int = 0

    def widen(self, row: int, left: int, right: int) -> None:
        """Take in more columns of a row."""
        self.top, self.bottom = min(self.top, row), max(self.bottom, row)
        self.left, self.right = min(self.left, left), max(self.right, right)
