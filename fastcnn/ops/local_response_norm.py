"""ops.local_response_norm: division by the energy of neighbouring channels. Papers: [Krizhevsky2012]."""

from __future__ import annotations

from ..autograd import Tensor, record
from ..errors import ArgumentError, ShapeError
from ..kernels import elementwise
from ..threads import get_num_threads
from .operands import float_tensor, number, whole


def local_response_norm(x, size, alpha=1e-4, beta=0.75, k=1.0) -> Tensor:
    """Return x / (k + alpha / size * sum of x^2 over `size` neighbouring channels) ** beta. [Krizhevsky2012]

    Parameters
    ----------
    x : Tensor or array_like, (batch, channels, ...)
        float32 or float64.
    size : int
        Channels of a window: from c - size // 2 to c + (size - 1) // 2; those outside count as zeros.
    alpha, beta, k : float

    Raises
    ------
    ShapeError, ArgumentError
        If x has fewer than 2 axes, or size is below 1.
    """
    x = float_tensor("local_response_norm", "x", x)
    if x.data.ndim < 2:
        raise ShapeError(f"local_response_norm: x must have at least 2 axes (batch, channels, ...), got x.shape={x.data.shape}")
    size = whole("local_response_norm", "size", size)
    if size < 1:
        raise ArgumentError(f"local_response_norm: size must be at least 1, got {size}")
    named = {"alpha": alpha, "beta": beta, "k": k}
    case = (size, *(number("local_response_norm", name, value) for name, value in named.items()))
    y, saved = _forward(x.data, case)
    return record("local_response_norm", (x,), y, _backward, saved, case)


def _forward(x, case):
    size, alpha, beta, k = case
    threads, channels = get_num_threads(), x.shape[1]
    square, energy = elementwise.mul(x, x, threads=threads), elementwise.full_like(x, 0.0, threads=threads)
    for shift in range(-(size // 2), (size - 1) // 2 + 1):  # channel c reads channel c + shift
        if abs(shift) < channels:
            read = square[:, max(0, shift) : channels - max(0, -shift)]
            elementwise.add_to(energy[:, max(0, -shift) : channels - max(0, shift)], read, threads=threads)
    elementwise.change("mul", energy, alpha / size, threads=threads)
    elementwise.change("add", energy, k, threads=threads)
    factor = elementwise.pow(energy, -beta, threads=threads)
    return elementwise.mul(x, factor, threads=threads), (x, energy, factor)


def _backward(dy, saved, case, needs):
    x, energy, factor = saved
    size, alpha, beta, _ = case
    threads, channels = get_num_threads(), x.shape[1]
    share = elementwise.mul(x, dy, threads=threads)
    elementwise.change("mul", share, factor, threads=threads)
    elementwise.change("div", share, energy, threads=threads)
    back = elementwise.full_like(share, 0.0, threads=threads)
    for shift in range(-(size // 2), (size - 1) // 2 + 1):
        if abs(shift) < channels:
            read = share[:, max(0, -shift) : channels - max(0, shift)]
            elementwise.add_to(back[:, max(0, shift) : channels - max(0, -shift)], read, threads=threads)
    elementwise.change("mul", back, x, threads=threads)
    elementwise.change("mul", back, -2 * alpha * beta / size, threads=threads)
    elementwise.add_to(back, elementwise.mul(factor, dy, threads=threads), threads=threads)
    return (back,)
