"""fastcnn: trains, shrinks and runs convolutional networks on CPUs.

`import fastcnn as fc` brings tensors, `nn`, `optim` and `models`; the other rooms (`fc.data`, `fc.train`, `fc.prune`, ...)
are imported at their first use.
"""

from __future__ import annotations

from importlib import import_module as _import_module

from . import errors, models, nn, ops, optim, rng
from .autograd import Tensor, enable_grad, gradcheck, is_grad_enabled, no_grad
from .autograd import as_array as _as_array
from .kernels.plan import plan_conv2d
from .ops import (
    argmax,
    argmin,
    clamp,
    concat,
    exp,
    flatten,
    log,
    log_softmax,
    matmul,
    maximum,
    minimum,
    permute,
    relu,
    reshape,
    softmax,
    sqrt,
    where,
)
from .policy import plan_mode, set_plan_mode, use_algorithm
from .rng import manual_seed
from .threads import get_num_threads, set_num_threads

__version__ = "0.1.0"

_ROOMS = ("cli", "config", "cpu", "data", "graph", "io", "kernels", "prune", "report", "shapes", "sklearn", "threads", "train")
_ELSEWHERE = {
    "capture": "train",
    "empty_cache": "kernels.memory",
    "load": "io",
    "memory_stats": "kernels.memory",
    "save": "io",
    "show_config": "config",
}

__all__ = [
    "Tensor",
    "argmax",
    "argmin",
    "capture",
    "clamp",
    "concat",
    "empty_cache",
    "enable_grad",
    "errors",
    "exp",
    "flatten",
    "get_num_threads",
    "gradcheck",
    "is_grad_enabled",
    "load",
    "log",
    "log_softmax",
    "manual_seed",
    "matmul",
    "maximum",
    "memory_stats",
    "minimum",
    "models",
    "nn",
    "no_grad",
    "ops",
    "optim",
    "permute",
    "plan_conv2d",
    "plan_mode",
    "relu",
    "reshape",
    "rng",
    "save",
    "set_num_threads",
    "set_plan_mode",
    "show_config",
    "softmax",
    "sqrt",
    "tensor",
    "use_algorithm",
    "where",
]


def tensor(data, dtype=None, requires_grad: bool = False) -> Tensor:
    """Return a Tensor with a copy of `data`.

    Parameters
    ----------
    data : array_like
        Arrays keep their dtype; Python floats become float32, Python ints int64. `Tensor(data)` shares memory instead.
    dtype : data-type, optional
        float32, float64, an integer type or bool.
    requires_grad : bool

    Examples
    --------
    >>> import fastcnn as fc
    >>> x = fc.tensor([1.0, 2.0, 3.0], requires_grad=True)
    >>> (x * x).sum().backward()
    >>> x.grad
    tensor([2., 4., 6.])
    """
    array = _as_array(data.data if isinstance(data, Tensor) else data, dtype)
    return Tensor(array.copy(order="K"), requires_grad)


def __getattr__(name: str):
    if name in _ELSEWHERE:
        value = getattr(_import_module(f".{_ELSEWHERE[name]}", __name__), name)
    elif name in _ROOMS:
        value = _import_module(f".{name}", __name__)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__():
    return sorted({*globals(), *_ROOMS, *_ELSEWHERE})
