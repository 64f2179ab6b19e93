"""Symbols: what formulas call the parts of a chain, and what the legend says they mean."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from .chain import Block, Link

MERGES = {
    "multiply": ("×", "multiply: the product of the ways, number by number"),
    "concat": ("∥", "concat: the ways side by side in one array"),
    "subtract": ("−", "subtract: the difference of the ways"),
}
"""Where ways meet other than in a sum: the sign, and what it says."""


def block_symbols(block: Block) -> tuple[str, ...]:
    """Return what formulas call the ways through a block, in the order of its lanes."""
    moving = sum(lane.is_bare and lane.moves for lane in block.lanes)
    branches = sum(not lane.is_bare for lane in block.lanes)
    bare, branch = itertools.count(1), itertools.count(1)
    found = []
    for i, lane in enumerate(block.lanes):
        if lane.is_identity:
            found.append("I")
        elif lane.is_bare:
            found.append(f"P_{{{block.number}{f',{next(bare)}' if moving > 1 else ''}}}")
        elif branches == len(block.lanes) == 2:
            found.append(f"{'JP'[i == 0]}_{{{block.number}}}")
        else:
            found.append(f"J_{{{block.number}{f',{next(branch)}' if branches > 1 else ''}}}")
    return tuple(found)


def symbols_used(parts: Sequence[object]) -> tuple[str, ...]:
    """Return what the symbols in formulas mean, for those that occur."""
    blocks = [part for part in parts if isinstance(part, Block)]
    if not blocks:
        return ()
    links = [part.symbol for part in parts if isinstance(part, Link) and part.symbol]
    ways = [
        (symbol, lane) for block in blocks
        for symbol, lane in zip(block_symbols(block), block.lanes, strict=True)
    ]  # fmt: skip
    found = {symbol[0] + "," * ("," in symbol) for symbol, _ in ways}
    bare = [lane.is_bare for symbol, lane in ways if symbol[0] == "P"]
    moving = "weight-free shortcut of block k, slices and pads"
    shortcut = moving if all(bare) else "derivative of block k’s shortcut"
    if any(bare) and not all(bare):
        shortcut += "; weight-free where it slices and pads"
    meanings = [
        ("I: identity", "I" in found),
        ("J_{k}: derivative of block k’s branch", "J" in found),
        ("J_{k,i}: derivative of branch i of block k, fewest weight layers first", "J," in found),
        (f"P_{{k}}: {shortcut}", "P" in found),
        ("P_{k,i}: weight-free way i through block k, slices and pads", "P," in found),
        ("S: derivative of the stem", "S" in links),
        ("R_{k}: derivative behind block k", any(symbol[0] == "R" for symbol in links)),
        (f"g: the gradient that arrives at {_last(parts)}", True),
    ]
    merges = {block.merge for block in blocks}
    signs = [(f"{sign} {words}", merge in merges) for merge, (sign, words) in MERGES.items()]
    signs.append(("• where ways meet in another operation", bool(merges - {"add", *MERGES})))
    return tuple(words for words, used in meanings + signs if used)


def _last(parts: Sequence[object]) -> str:
    """Say what stands at the right end of a product, next to ``g``."""
    behind = [part for part in parts[-2:] if isinstance(part, Link) and part.symbol[:1] == "R"]
    return behind[-1].symbol if behind else "the last block"
