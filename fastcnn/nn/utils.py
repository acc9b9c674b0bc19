"""nn.utils: limits to the gradients before an update, under PyTorch's names. Papers: [Pascanu2013]."""

from __future__ import annotations

from collections.abc import Iterable
from math import inf

import numpy as np

from ..autograd import Tensor
from ..autograd.mode import mode
from ..errors import ArgumentError, DtypeError, StateError
from ..kernels import entry
from ..kernels.clip import clip_values, total_norm
from ..kernels.elementwise import require_finite
from ..threads import get_num_threads


def clip_grad_norm_(parameters, max_norm: float, norm_type: float = 2.0, error_if_nonfinite: bool = False) -> Tensor:
    """Scale all gradients in place so that their norm together is at most `max_norm`; return the norm before. [Pascanu2013]

    Parameters
    ----------
    parameters : Tensor or iterable of Tensor
        Those without a gradient do not count.
    max_norm : float
        At least 0. Above it the factor is max_norm / (norm + 1e-6).
    norm_type : float
        p of (sum |g|^p)^(1/p), above 0; inf is the largest magnitude.
    error_if_nonfinite : bool
        Raise StateError, with the gradients as they were, when the norm is NaN or infinite. Without it such gradients become
        NaN or zero, as in PyTorch.

    Returns
    -------
    Tensor
        float64, rank 0.

    Notes
    -----
    Two passes over memory by a kernel, the second only where something is to be scaled; sums in float64, the same bits for
    every number of threads.

    Examples
    --------
    >>> import fastcnn as fc
    >>> x = fc.tensor([3.0, 4.0], requires_grad=True)
    >>> (x * x / 2).sum().backward()
    >>> fc.nn.utils.clip_grad_norm_([x], 1.0).item()
    5.0
    >>> x.grad
    tensor([0.6, 0.8])
    """
    gradients = _gradients("clip_grad_norm_", parameters)
    limit = _limit("clip_grad_norm_", "max_norm", max_norm)
    if error_if_nonfinite:
        get_total_norm(gradients, norm_type, error_if_nonfinite=True)
    norm = _norm("clip_grad_norm_", gradients, norm_type, limit)
    for gradient in gradients:
        gradient.version += 1
    return norm


def clip_grad_value_(parameters, clip_value: float) -> None:
    """Bring each value of each gradient into -clip_value .. clip_value, in place; NaN stays.

    Parameters
    ----------
    parameters : Tensor or iterable of Tensor
    clip_value : float
        At least 0.

    Examples
    --------
    >>> import fastcnn as fc
    >>> x = fc.tensor([3.0, -4.0], requires_grad=True)
    >>> (x * x / 2).sum().backward()
    >>> fc.nn.utils.clip_grad_value_([x], 1.0)
    >>> x.grad
    tensor([ 1., -1.])
    """
    gradients = _gradients("clip_grad_value_", parameters)
    clip_values([g.data for g in gradients], _limit("clip_grad_value_", "clip_value", clip_value), threads=get_num_threads())
    for gradient in gradients:
        gradient.version += 1


def get_total_norm(tensors, norm_type: float = 2.0, error_if_nonfinite: bool = False) -> Tensor:
    """Return the norm of all tensors together, (sum |x|^p)^(1/p), as float64 of rank 0.

    Parameters
    ----------
    tensors : Tensor or iterable of Tensor
        E.g. gradients.
    norm_type : float
        p, above 0; inf is the largest magnitude.
    error_if_nonfinite : bool
        Raise StateError when the norm is NaN or infinite.

    Examples
    --------
    >>> import fastcnn as fc
    >>> fc.nn.utils.get_total_norm([fc.tensor([3.0]), fc.tensor([[4.0]])]).item()
    5.0
    """
    tensors = _tensors("get_total_norm", tensors)
    norm = _norm("get_total_norm", tensors, norm_type, inf)
    if error_if_nonfinite:

        def refuse():
            raise StateError(f"get_total_norm: the norm of order {norm_type} of {len(tensors)} tensors is {norm.data.item()}")

        require_finite(norm.data, refuse)
    return norm


def _norm(name: str, tensors: list[Tensor], power: float, limit: float) -> Tensor:
    if not isinstance(power, (int, float, np.number)) or not power > 0:
        raise ArgumentError(f"{name}: norm_type must be a number above 0, got {power!r}")
    return Tensor(total_norm([t.data for t in tensors], float(power), limit, threads=get_num_threads()))


def _limit(name: str, key: str, value) -> float:
    if not isinstance(value, (int, float, np.number)) or not value >= 0:
        raise ArgumentError(f"{name}: {key} must be a number of at least 0, got {value!r}")
    return float(value)


def _tensors(name: str, given) -> list[Tensor]:
    tensors = [given] if isinstance(given, Tensor) else list(given)
    for t in tensors:
        if not isinstance(t, Tensor):
            raise DtypeError(f"{name}: tensors are needed, got {type(t).__name__}")
    return tensors


def _gradients(name: str, parameters: Tensor | Iterable[Tensor]) -> list[Tensor]:
    """The gradients there are, each with memory of its own that may be written to."""
    found = []
    for p in _tensors(name, parameters):
        if mode.witness is not None:
            mode.witness.reads_gradient(p)
        if p.grad is not None:
            if not p.grad.data.flags.writeable:
                entry.refuse("a limit to a gradient that is read-only")
                p.grad = Tensor(np.array(p.grad.data, order="K"))
            found.append(p.grad)
    return found
