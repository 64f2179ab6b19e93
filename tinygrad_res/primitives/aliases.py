"""Other names of operations: NumPy's spellings where they differ from the array API's.

One table, no second implementation: ``tg.concatenate`` is ``tg.concat``.
"""

ALIASES = {
    "absolute": "abs",
    "amax": "max",
    "amin": "min",
    "concatenate": "concat",
    "power": "pow",
    "transpose": "permute_dims",
    "true_divide": "divide",
}
