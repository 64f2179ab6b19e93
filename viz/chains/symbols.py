"""Symbols: what formulas call the parts of a chain, and what the legend says they mean."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from .fold import Collapsed, listed
from .letters import LETTERS
from .parts import Block, Link

MERGES = {
    "multiply": ("×", "multiply: the product of the ways, number by number"),
    "concat": ("∥", "concat: the ways side by side in one array"),
    "subtract": ("−", "subtract: the difference of the ways"),
}
"""Where ways meet other than in a sum: the sign, and what it says."""


def block_symbols(block: Block) -> tuple[str, ...]:
    """Return what formulas call the ways through a block, in the order of its lanes."""
    letters, number = block.letters, block.number
    if block.is_product:
        return tuple(f"{letters['M']}_{{{number},{i + 1}}}" for i in range(len(block.lanes)))
    moving = sum(lane.is_bare and lane.moves for lane in block.lanes)
    branches = sum(not lane.is_bare for lane in block.lanes)
    bare, branch = itertools.count(1), itertools.count(1)
    found = []
    for i, lane in enumerate(block.lanes):
        if lane.is_identity:
            found.append(letters["I"])
        elif lane.is_bare:
            found.append(f"{letters['P']}_{{{number}{f',{next(bare)}' if moving > 1 else ''}}}")
        elif branches == len(block.lanes) == 2:
            found.append(f"{letters['JP'[i == 0]]}_{{{number}}}")
        else:
            found.append(f"{letters['J']}_{{{number}{f',{next(branch)}' if branches > 1 else ''}}}")
    return tuple(found)


def symbols_used(parts: Sequence[object], arriving: str = LETTERS["g"]) -> tuple[str, ...]:
    """Return what the symbols in formulas mean, for those that occur.

    Args:
        arriving: what formulas call the gradient that arrives from the right.
    """
    segments = [part for part in parts if isinstance(part, Block)]
    if not segments:
        return _values_used(parts)
    letters = segments[0].letters
    usual = {written: letter for letter, written in letters.items()}
    links = {usual[part.symbol[0]] for part in parts if isinstance(part, Link) and part.symbol}
    ways = [
        (usual[symbol[0]], symbol, lane) for block in segments
        for symbol, lane in zip(block_symbols(block), block.lanes, strict=True)
    ]  # fmt: skip
    found = {letter + "," * ("," in symbol) for letter, symbol, _ in ways}
    bare = [lane.is_bare for letter, _, lane in ways if letter == "P"]
    by = listed([op for _, _, lane in ways if lane.is_bare for op in lane.copies])
    moving = f"weight-free shortcut of block k, a copy{f' by {by}' if by else ' elsewhere'}"
    shortcut = moving if all(bare) else "derivative of block k’s shortcut"
    if any(bare) and not all(bare):
        shortcut += f"; weight-free where it copies{f' by {by}' if by else ''}"
    behind = "the k-th block or product" if any(b.is_product for b in segments) else "block k"
    meanings = [
        (f"{letters['I']}: identity", "I" in found),
        (f"{letters['J']}_{{k}}: derivative of block k’s branch", "J" in found),
        (
            f"{letters['J']}_{{k,i}}: derivative of branch i of block k, fewest weight layers first",
            "J," in found,
        ),
        (f"{letters['P']}_{{k}}: {shortcut}", "P" in found),
        (
            f"{letters['P']}_{{k,i}}: weight-free way i through block k, a copy"
            + (f" by {by}" if by else " elsewhere"),
            "P," in found,
        ),
        (
            f"{letters['M']}_{{k,i}}: derivative of product k by its factor i, the other factor",
            "M," in found,
        ),
        (f"{letters['S']}: derivative of the stem", "S" in links),
        (f"{letters['R']}_{{k}}: derivative behind {behind}", "R" in links),
        (f"{arriving}: the gradient that arrives at {_last(parts)}", True),
    ]
    merges = {block.merge for block in segments}
    signs = [(f"{sign} {words}", merge in merges) for merge, (sign, words) in MERGES.items()]
    signs.append(("• where ways meet in another operation", bool(merges - {"add", *MERGES})))
    told = any(isinstance(part, Collapsed) and part.tells_ways for part in parts)
    signs.append(
        ("ways 1 + 2z + z²: one without a weight layer, two through one, one through two", told)
    )
    return (*(words for words, used in meanings + signs if used), *_values_used(parts))


def _values_used(parts: Sequence[object]) -> tuple[str, ...]:
    """Say what a factor of a product is called, where one is."""
    lanes = [
        lane for part in parts if isinstance(part, Block | Link)
        for lane in (part.lanes if isinstance(part, Block) else (part.lane,))
    ]  # fmt: skip
    some = any(step.label.endswith("(·)") for lane in lanes for step in lane.steps)
    return ("f(·): the other factor of a product, which the operation f gave",) * some


def _last(parts: Sequence[object]) -> str:
    """Say what stands at the right end of a product, next to ``g``."""
    for part in reversed(parts):
        if isinstance(part, Block):
            return "the last product" if part.is_product else "the last block"
        if isinstance(part, Link) and part.symbol:
            return part.symbol
    return "the last block"
