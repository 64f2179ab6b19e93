"""What people type who know PyTorch, and what to write here: tables, by the place of the name.

Our names of operations are those of the array standard, which NumPy shares.  Whoever types another
one is told ours in the error that the name raises anyway; nothing is checked before, so these
tables cost nothing where names are right.
"""

from __future__ import annotations

from collections.abc import Iterable

from .errors import UsageError

_IN_PLACE = "use x = ..., or with tg.no_grad(): x.data = values"

TENSOR = {
    "bmm": "use x @ y",
    "chunk": "use tg.array_split(x, sections, axis)",
    "clamp": "use x.clip(low, high)",
    "clone": "a tensor is a value; copy.copy(leaf) makes a leaf of its own",
    "contiguous": "leave it out: arrays are laid out as needed",
    "copy_": _IN_PLACE,
    "cpu": "use x.to('cpu')",
    "cuda": "use x.to('cuda')",
    "detach": "use tg.stop_gradient(x)",
    "dim": "use x.ndim",
    "div": "use x / y",
    "double": "use x.astype('float64')",
    "expand": "use tg.broadcast_to(x, shape)",
    "fill_": _IN_PLACE,
    "float": "use x.astype('float32')",
    "gather": "use tg.take_along_axis(x, indices, axis)",
    "grad_fn": "use tg.graph(x)",
    "half": "use x.astype('float16')",
    "index_select": "use x.take(indices, axis)",
    "int": "use x.astype('int32')",
    "is_leaf": "a leaf is what tg.tensor or tg.parameter made",
    "long": "use x.astype('int64')",
    "masked_fill": "use tg.where(mask, value, x)",
    "mm": "use x @ y",
    "mul": "use x * y",
    "numel": "use x.size",
    "permute": "use x.transpose(axes)",
    "requires_grad_": "use x.requires_grad = True",
    "sub": "use x - y",
    "t": "use x.T",
    "tolist": "use x.numpy().tolist()",
    "type": "use x.astype(dtype)",
    "unbind": "use tg.unstack(x, axis)",
    "unsqueeze": "use tg.expand_dims(x, axis)",
    "view": "use x.reshape(shape)",
    "zero_": _IN_PLACE,
    "zero_grad": "use x.grad = None",
}
"""Attributes of tensors; what is a function of ``tg`` needs no line."""

PACKAGE = {
    "arange": "use tg.tensor(np.arange(n))",
    "as_tensor": "use tg.tensor(array)",
    "autograd": "use tg.grad(f), or y.backward()",
    "bmm": "use tg.matmul(x, y)",
    "cat": "use tg.concat(tensors, axis)",
    "chunk": "use tg.array_split(x, sections, axis)",
    "clamp": "use tg.clip(x, low, high)",
    "detach": "use tg.stop_gradient(x)",
    "div": "use tg.divide(x, y)",
    "eye": "use tg.tensor(np.eye(n))",
    "flatten": "use x.flatten(start_dim, end_dim)",
    "from_numpy": "use tg.tensor(array)",
    "functional": "use the functions of tg, such as tg.relu",
    "gather": "use tg.take_along_axis(x, indices, axis)",
    "inference_mode": "use tg.no_grad()",
    "linspace": "use tg.tensor(np.linspace(start, stop, n))",
    "load": "use network.load(path)",
    "manual_seed": "give rng=, a generator or a seed, to what draws numbers",
    "mm": "use tg.matmul(x, y)",
    "mse_loss": "use tg.training.squared_error(output, target)",
    "mul": "use tg.multiply(x, y)",
    "ones": "use tg.tensor(np.ones(shape))",
    "permute": "use tg.permute_dims(x, axes)",
    "rand": "use tg.tensor(rng.random(shape)), with rng = np.random.default_rng(seed)",
    "randn": "use tg.tensor(rng.standard_normal(shape)), with rng = np.random.default_rng(seed)",
    "save": "use network.save(path)",
    "sub": "use tg.subtract(x, y)",
    "unbind": "use tg.unstack(x, axis)",
    "unsqueeze": "use tg.expand_dims(x, axis)",
    "zeros": "use tg.tensor(np.zeros(shape))",
}

LAYERS = {
    "CrossEntropyLoss": "use tg.cross_entropy(logits, labels)",
    "L1Loss": "use tg.abs(output - target).mean()",
    "MSELoss": "use tg.training.squared_error(output, target)",
    "NLLLoss": "use tg.cross_entropy(logits, labels), of what is before the softmax",
    "Parameter": "use tg.parameter(values)",
    "functional": "use the functions of tg, such as tg.relu",
    "init": "give draw= to a layer, such as draw=tg.nn.he_normal, or assign to weight.data",
    "utils": "use tg.optim.clip_grad_norm",
}

MODULE = {
    "add_module": "use self.name = module, or setattr",
    "buffers": "use network.named_buffers()",
    "cpu": "use network.to('cpu')",
    "cuda": "use network.to('cuda')",
    "double": "use network.to(dtype='float64')",
    "float": "use network.to(dtype='float32')",
    "get_parameter": "use dict(network.named_parameters())[name]",
    "get_submodule": "use dict(network.named_modules())[name]",
    "named_children": "use network.children(), which yields names, too",
    "register_full_backward_hook": "use network.register_forward_hook, and register_hook of a tensor",
    "register_module": "use self.name = module, or setattr",
    "register_parameter": "use self.name = tg.parameter(values), or setattr",
}

_EACH_LOSS = "-tg.take_along_axis(tg.log_softmax(logits), labels[:, None], 1)"

ARGUMENTS = {
    "dim": "use axis=",
    "dims": "use axis=",
    "dtype": "use .astype(dtype) of what is returned",
    "ignore_index": "leave these out: tg.cross_entropy(logits[kept], labels[kept])",
    "keepdim": "use keepdims=",
    "label_smoothing": "use -(shares * tg.log_softmax(logits)).sum(1).mean(), with the share of each "
    "class in each row",
    "out": "use what is returned: values are never written over",
    "reduction": f"it is the mean; the losses one by one are {_EACH_LOSS}",
    "weight": f"weigh the losses one by one: {_EACH_LOSS}",
}
"""Arguments by name, of reductions and losses that do not take them."""


def missing(what: str, name: str, mends: dict[str, str], more: str = "") -> AttributeError:
    """Return the error for a name that is not there; ``more`` where the table has no mend."""
    mend = mends.get(name, more)
    return AttributeError(f"{what} has no attribute {name!r}" + (f": {mend}" if mend else ""))


def unknown(name: str, given: Iterable[str]) -> UsageError:
    """Return the error for the first of the arguments that the function ``name`` does not take."""
    first = min(given)
    return UsageError(
        f"{name}: unknown argument {first!r}: {ARGUMENTS.get(first, f'see help(tg.{name})')}"
    )
