"""What CuPy offers of what the engine may call: names, parameters, dtypes.

A name that stands here is one that CuPy has.  ``PARAMETERS`` says how it is called: what NumPy
takes beyond that is refused by the stand-in, as by CuPy itself.  Where CuPy is installed, a GPU or
none, ``test_standin`` holds all of it against CuPy.
"""

from __future__ import annotations

UFUNCS = (
    "abs", "absolute", "add", "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctan2",
    "arctanh", "bitwise_and", "bitwise_or", "bitwise_xor", "cbrt", "ceil", "copysign", "cos",
    "cosh", "degrees", "divide", "equal", "exp", "exp2", "expm1", "fabs", "floor", "floor_divide",
    "fmax", "fmin", "fmod", "frexp", "greater", "greater_equal", "heaviside", "hypot", "invert",
    "isfinite", "isinf", "isnan", "ldexp", "left_shift", "less", "less_equal", "log", "log10",
    "log1p", "log2", "logaddexp", "logaddexp2", "logical_and", "logical_not", "logical_or",
    "logical_xor", "maximum", "minimum", "multiply", "negative", "not_equal", "positive", "power",
    "radians", "reciprocal", "remainder", "right_shift", "rint", "sign", "signbit", "sin", "sinc",
    "sinh", "sqrt", "square", "subtract", "tan", "tanh", "true_divide", "trunc",
)  # fmt: skip
UFUNC_OPTIONS = ("out", "casting", "dtype")

PARAMETERS = {  # functions by the names of their parameters, in CuPy's order
    "a": ("argwhere", "nonzero"),
    "a axis": ("count_nonzero", "expand_dims", "flip", "squeeze"),
    "a axis dtype out": ("cumprod", "cumsum"),
    "a axis dtype out ddof keepdims": ("std", "var"),
    "a axis dtype out keepdims": ("argmax", "argmin", "mean", "prod", "sum"),
    "a axis kind": ("argsort", "sort"),
    "a axis out keepdims": ("all", "amax", "amin", "any", "max", "min", "ptp"),
    "a axes": ("transpose",),
    "a axis1 axis2": ("swapaxes",),
    "a a_min a_max out": ("clip",),
    "a b axes": ("tensordot",),
    "a b axisa axisb axisc axis": ("cross",),
    "a b out": ("dot", "outer"),
    "a b rtol atol equal_nan": ("isclose",),
    "a decimals out": ("around",),
    "a dtype": ("ascontiguousarray", "asfortranarray"),
    "a dtype order subok shape": ("ones_like", "zeros_like"),
    "a fill_value dtype order subok shape": ("full_like",),
    "a indices axis": ("take_along_axis",),
    "a indices axis out": ("take",),
    "a k axes": ("rot90",),
    "a newshape order copy": ("reshape",),
    "a offset axis1 axis2": ("diagonal",),
    "a order": ("ravel",),
    "a repeats axis": ("repeat",),
    "a shift axis": ("roll",),
    "a source destination": ("moveaxis",),
    "a v side sorter": ("searchsorted",),
    "a1 a2 equal_nan": ("array_equal",),
    "A reps": ("tile",),
    "array pad_width mode constant_values": ("pad",),
    "array shape": ("broadcast_to",),
    "ary indices_or_sections axis": ("split",),
    "condition x y": ("where",),
    "m k": ("tril", "triu"),
    "N M k dtype order": ("eye",),
    "prototype dtype order subok shape": ("empty_like",),
    "shape dtype order": ("empty", "ones", "zeros"),
    "shape fill_value dtype order": ("full",),
    "start stop num endpoint retstep dtype axis": ("linspace",),
    "start stop step dtype": ("arange",),
    "tup axis out dtype casting": ("concatenate", "stack"),
    "x copy nan posinf neginf": ("nan_to_num",),
}
VARIADIC = {  # functions of any number of arguments, with the options that they take
    "einsum": ("dtype", "optimize"),
    "matmul": ("axes", "axis", "keepdims", "casting", "dtype", "signature", "order", "out"),
    "result_type": (),
}
FUNCTIONS = (*UFUNCS, *(name for names in PARAMETERS.values() for name in names), *VARIADIC)

DTYPES = (
    "bool_", "float16", "float32", "float64", "int8", "int16", "int32", "int64", "intp", "uint8",
    "uint16", "uint32", "uint64",
)  # fmt: skip
CONSTANTS = ("e", "inf", "nan", "newaxis", "pi")
SCATTERING = ("add", "bitwise_and", "bitwise_or", "bitwise_xor", "maximum", "minimum", "subtract")
SCATTERED = ("int32", "uint32", "uint64", "float16", "float32", "float64")

METHODS = {  # methods by the names of their parameters
    "": ("nonzero",),
    "axis": ("squeeze",),
    "axes": ("transpose",),
    "axis dtype out": ("cumprod", "cumsum"),
    "axis dtype out ddof keepdims": ("std", "var"),
    "axis dtype out keepdims": ("argmax", "argmin", "mean", "prod", "sum"),
    "axis kind": ("argsort", "sort"),
    "axis out keepdims": ("all", "any", "max", "min"),
    "axis1 axis2": ("swapaxes",),
    "b out": ("dot",),
    "decimals out": ("round",),
    "dtype": ("view",),
    "dtype order casting subok copy": ("astype",),
    "indices axis out": ("take",),
    "kth axis": ("argpartition",),
    "min max out": ("clip",),
    "offset axis1 axis2": ("diagonal",),
    "offset axis1 axis2 dtype out": ("trace",),
    "order": ("copy", "flatten", "ravel", "reshape"),
    "repeats axis": ("repeat",),
    "v side sorter": ("searchsorted",),
    "value": ("fill",),
}
PROPERTIES = ("T", "base", "dtype", "itemsize", "nbytes", "ndim", "shape", "size", "strides")

LINALG = {  # functions of ``linalg`` by the names of their parameters
    "a": ("cholesky", "det", "inv", "slogdet"),
    "a UPLO": ("eigh", "eigvalsh"),
    "a b": ("solve",),
    "a b axes": ("tensorsolve",),
    "a b rcond": ("lstsq",),
    "a full_matrices compute_uv": ("svd",),
    "a mode": ("qr",),
    "a rcond": ("pinv",),
    "M n": ("matrix_power",),
    "x ord axis keepdims": ("norm",),
}
STRIDES = {"x shape strides": ("as_strided",)}  # sliding_window_view reads its sizes back
SPECIAL = ("erf", "erfc", "expit")
