"""Blocks that are drawn as one box, and what its words say of them.

A box that reads "× 3" says that its blocks are alike.  Alike are those whose ways cross the same
weight layers: the generating polynomial 1 + 2z + z² is one way without a weight layer, two
through one and one through two, and tells a gated block from a plain one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from .. import text
from .parts import Block, Link

MOST_KINDS = 3


@dataclass(frozen=True)
class Collapsed:
    """Blocks that are drawn as one box, and the links between them."""

    parts: tuple[Block | Link, ...]

    @property
    def blocks(self) -> tuple[Block, ...]:
        """The blocks inside, without products."""
        return tuple(block for block in self.segments if not block.is_product)

    @property
    def segments(self) -> tuple[Block, ...]:
        """The blocks and the products inside."""
        return tuple(part for part in self.parts if isinstance(part, Block))

    @property
    def links(self) -> tuple[Link, ...]:
        """The links between the blocks inside."""
        return tuple(part for part in self.parts if isinstance(part, Link))

    @cached_property
    def kinds(self) -> Counter[str]:
        """How many blocks there are of each polynomial."""
        return Counter(polynomial(block.by_weight) for block in self.blocks)

    @property
    def shortcuts(self) -> int:
        """How many blocks have a way without a weight layer."""
        return sum(block.weight_free > 0 for block in self.blocks)

    @property
    def fewest(self) -> int:
        """The fewest weight layers that a way through all of it crosses."""
        through = sum(min(block.by_weight) for block in self.segments)
        return through + sum(link.lane.weight for link in self.links)

    @property
    def title(self) -> str:
        """What stands in its box."""
        n, kinds = len(self.blocks), len(self.kinds)
        return f"× {n}" if kinds == 1 else f"{n} blocks of {kinds} kinds"

    @property
    def line(self) -> str:
        """What stands in its box below the title."""
        first, last = self.blocks[0].number, self.blocks[-1].number
        return f"blocks {first} … {last}{self._between()}"

    @property
    def over(self) -> str:
        """What stands over it, where the way with the fewest weight layers runs."""
        if self.fewest:
            return f"at least {text.several(self.fewest, 'weight layer')}"
        alike = not self.links and self.segments == self.blocks
        ways = [block.lanes[0] for block in self.blocks if block.lanes and block.weight_free == 1]
        plain = alike and len(ways) == len(self.blocks) and all(way.is_identity for way in ways)
        return self.blocks[0].letters["I"] if plain else "weight-free"

    @property
    def below(self) -> list[str]:
        """What stands below it: which blocks have shortcuts, what these do, and all their ways."""
        n, said = len(self.blocks), []
        if 0 < self.shortcuts < n:
            said.append(f"{self.shortcuts} of {n} have a weight-free way")
        moving = [
            lane for block in self.blocks
            for lane in [next((w for w in block.lanes if w.is_bare and w.moves), None)] if lane
        ]  # fmt: skip
        if moving:
            by = listed([op for lane in moving for op in lane.copies])
            said.append(f"{len(moving)} of {n} shortcuts copy{f' by {by}' if by else ' elsewhere'}")
        if self.tells_ways:
            kinds = self.kinds.most_common(MOST_KINDS)
            more = f", {len(self.kinds) - MOST_KINDS} more kinds" * (len(self.kinds) > MOST_KINDS)
            ways = ", ".join(f"{f'{k} × ' * (k > 1)}({ways})" for ways, k in kinds)
            said.append(f"ways: {ways}{more}")
        return said

    @property
    def tells_ways(self) -> bool:
        """Whether there are more ways through its blocks than a shortcut and a branch, or others."""
        return len(self.kinds) > 1 or any(block.count > 2 for block in self.blocks)

    def _between(self) -> str:
        """Say what stands between the blocks."""
        if self.segments != self.blocks:
            return " with products between"
        if any(link.lane.weight for link in self.links):
            return " with weight layers between"
        layers = {tuple(step.label for step in link.lane.steps) for link in self.links}
        if not layers:
            return ""
        one = layers.pop()
        named = len(one) == 1 and not layers and len(one[0]) <= 12
        return f" with {text.clean(one[0].removesuffix(chr(39))) if named else 'more'} between"


def listed(ops: Sequence[str]) -> str:
    """Return what operations are called, each once, in words.

    >>> listed(["getitem", "pad", "getitem"])
    'getitem and pad'
    """
    return " and ".join(dict.fromkeys(map(text.clean, ops)))


def polynomial(by_weight: Mapping[int, int]) -> str:
    """Return how many ways cross how many weight layers: the ways as coefficients, in powers of z.

    >>> polynomial({0: 1, 1: 2, 2: 1}), polynomial({1: 3})
    ('1 + 2z + z²', '3z')
    """
    return " + ".join(
        f"{'' if ways == 1 and k else text.grouped(ways)}{'z' * (k > 0)}{text.raised(k) * (k > 1)}"
        for k, ways in sorted(by_weight.items())
    )
