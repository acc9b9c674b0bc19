"""ops.methods: attaches the operations to Tensor, as operators and as methods."""

from __future__ import annotations

import numpy as np

from ..autograd import Tensor
from ..autograd.arithmetic import arithmetic
from ..autograd.mode import mode
from ..errors import GradientError
from ..kernels import elementwise, entry, strided
from ..threads import get_num_threads
from .abs import abs
from .add import add
from .cast import cast
from .clamp import clamp
from .comparison import argmax, argmin, eq, ge, gt, le, lt, ne
from .div import div
from .exp import exp
from .flatten import flatten
from .getitem import getitem
from .log import log
from .log_softmax import log_softmax
from .matmul import matmul
from .max import max
from .maximum import maximum
from .mean import mean
from .min import min
from .minimum import minimum
from .mul import mul
from .neg import neg
from .operands import MOST_AXES, axis, operands, unbroadcastable
from .permute import permute
from .pow import pow
from .relu import relu
from .reshape import reshape
from .shaping import chunk, split, squeeze, unsqueeze
from .sigmoid import sigmoid
from .softmax import softmax
from .sqrt import sqrt
from .sub import sub
from .sum import sum
from .tanh import tanh
from .where import where


def _swapped(op):
    """The reflected operator: `number - tensor` calls tensor.__rsub__(number)."""

    def reflected(self, other):
        return op(other, self)

    return reflected


def _in_place(op):
    """`x += y`: in place on a leaf outside the tape, a new tensor on it (the name `x` then means the result)."""

    def assign(self, other):
        _, _, a, b = operands(op.__name__, self, other)
        if mode.enabled and (self._requires_grad or getattr(other, "_requires_grad", False)):
            if self.node is None and self._requires_grad:
                raise GradientError(
                    f"{op.__name__}: a leaf that requires a gradient cannot be changed in place outside of no_grad()"
                )
            return op(self, other)
        if a is not self.data:  # the result has another dtype
            return op(self, other)
        memory = self._change_in_place(op.__name__)
        try:
            elementwise.change(op.__name__, memory, b, threads=get_num_threads())
        except ValueError:
            raise unbroadcastable(op.__name__, a, b) from None
        return self

    return assign


def _copy_to(out, x) -> None:
    """out[...] = x; NumPy where a kernel cannot: other dtypes, and arrays that overlap."""
    fits = isinstance(x, np.ndarray) and x.dtype == out.dtype and np.broadcast_shapes(x.shape, out.shape) == out.shape
    if fits and not np.may_share_memory(out, x):
        strided.copy_to(out, x, threads=get_num_threads())
    else:
        entry.refuse("copy_ of another dtype, of no array, or within one array")
        out[...] = x


def _sizes(args):
    """`x.reshape(2, 3)` and `x.reshape((2, 3))` alike."""
    return args[0] if len(args) == 1 and isinstance(args[0], (tuple, list)) else args


def _transpose(x, dim0, dim1):
    dims = list(range(x.ndim))
    i, j = axis("transpose", "dim0", dim0, x.ndim), axis("transpose", "dim1", dim1, x.ndim)
    if dims:
        dims[i], dims[j] = j, i
    return permute(x, dims)


METHODS = {
    "__add__": add,
    "__radd__": _swapped(add),
    "__iadd__": _in_place(add),
    "__sub__": sub,
    "__rsub__": _swapped(sub),
    "__isub__": _in_place(sub),
    "__mul__": mul,
    "__rmul__": _swapped(mul),
    "__imul__": _in_place(mul),
    "__truediv__": div,
    "__rtruediv__": _swapped(div),
    "__itruediv__": _in_place(div),
    "__pow__": pow,
    "__rpow__": _swapped(pow),
    "__matmul__": matmul,
    "__rmatmul__": _swapped(matmul),
    "__neg__": neg,
    "__getitem__": getitem,
    "__eq__": eq,
    "__ne__": ne,
    "__lt__": lt,
    "__le__": le,
    "__gt__": gt,
    "__ge__": ge,
    "__hash__": object.__hash__,
    "__iter__": lambda self: (getitem(self, i) for i in range(len(self))),
    "__abs__": abs,
    "abs": abs,
    "argmax": argmax,
    "argmin": argmin,
    "astype": cast,
    "chunk": chunk,
    "clamp": clamp,
    "double": lambda self: cast(self, np.float64),
    "exp": exp,
    "flatten": flatten,
    "float": lambda self: cast(self, np.float32),
    "log": log,
    "log_softmax": log_softmax,
    "long": lambda self: cast(self, np.int64),
    "matmul": matmul,
    "max": max,
    "maximum": maximum,
    "mean": mean,
    "min": min,
    "minimum": minimum,
    "permute": lambda self, *dims: permute(self, _sizes(dims)),
    "relu": relu,
    "reshape": lambda self, *shape: reshape(self, _sizes(shape)),
    "sigmoid": sigmoid,
    "softmax": softmax,
    "split": split,
    "sqrt": sqrt,
    "squeeze": squeeze,
    "sum": sum,
    "tanh": tanh,
    "transpose": _transpose,
    "unsqueeze": unsqueeze,
    "view": lambda self, *shape: reshape(self, _sizes(shape)),
    "where": lambda self, condition, y: where(condition, self, y),
    "T": property(lambda self: permute(self, tuple(range(self.ndim))[::-1])),
}

for _name, _function in METHODS.items():
    setattr(Tensor, _name, _function)

arithmetic.add = lambda a, b: elementwise.add(a, b, threads=get_num_threads())
arithmetic.add_to = lambda total, x: elementwise.add_to(total, x, threads=get_num_threads())
arithmetic.copy_to = _copy_to
arithmetic.at_replay = lambda function: entry.call(function, repeatable=True)
arithmetic.copy = lambda x: strided.copy(x, threads=get_num_threads())
arithmetic.ones = lambda x: elementwise.full_like(x, 1.0) if x.ndim <= MOST_AXES else np.ones_like(x)
