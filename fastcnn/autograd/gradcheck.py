"""autograd.gradcheck: compares gradients with central differences in float64."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..errors import ArgumentError, DtypeError, GradientError
from .mode import no_grad
from .tensor import Tensor


def gradcheck(
    function: Callable,
    inputs,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    mode: str = "projection",
    seed: int = 0,
) -> bool:
    """Check the gradients of `function` at `inputs` against (f(x + eps v) - f(x - eps v)) / (2 eps).

    Parameters
    ----------
    function : callable
        Takes the inputs as Tensors and returns one Tensor; must be deterministic.
    inputs : Tensor, array_like, or a tuple of them
        Floats must be float64. Those with `requires_grad` are checked; if none has it, every float64 one is.
    eps, atol, rtol : float
        Step and tolerance: |numeric - analytic| <= atol + rtol * |numeric|.
    mode : {"projection", "full"}
        "projection" projects the result on one random direction and moves each input along one random direction (two
        evaluations per input); "full" moves every element of every input and names the worst one.
    seed : int
        Of the random directions.

    Returns
    -------
    bool
        True. A wrong gradient raises GradientError with both numbers.
    """
    if mode not in ("projection", "full"):
        raise ArgumentError(f"gradcheck: mode must be 'projection' or 'full', got {mode!r}")
    rng = np.random.default_rng(seed)
    given = inputs if isinstance(inputs, (tuple, list)) else (inputs,)
    marked = any(isinstance(x, Tensor) and x.requires_grad for x in given)
    points = [_leaf(x, marked) for x in given]
    if not any(p.requires_grad for p in points):
        raise ArgumentError("gradcheck: no input is a float64 tensor that requires a gradient")
    y = function(*points)
    direction = rng.standard_normal(y.shape)
    if y.requires_grad:
        y.backward(direction)

    def value() -> float:
        with no_grad():
            return float((function(*points).data * direction).sum())

    for position, point in enumerate(points):
        if not point.requires_grad:
            continue
        gradient = np.zeros(point.shape) if point.grad is None else point.grad.data
        if gradient.shape != point.shape or gradient.dtype != point.dtype:
            raise GradientError(
                f"gradcheck: gradient of input {position} has shape {gradient.shape}, dtype {gradient.dtype}; "
                f"the input has {point.shape}, {point.dtype}"
            )
        moves = _unit_moves(point.shape) if mode == "full" else [(None, rng.standard_normal(point.shape))]
        for where, move in moves:
            numeric = _central_difference(value, point, move, eps)
            analytic = float((gradient * move).sum())
            if not abs(numeric - analytic) <= atol + rtol * abs(numeric):
                place = "" if where is None else f" at {where}"
                raise GradientError(f"gradcheck: input {position}{place}: numeric {numeric:.9g}, analytic {analytic:.9g}")
    return True


def _leaf(x, marked: bool) -> Tensor:
    """A fresh leaf with its own memory (same layout), so that moving it changes nothing outside."""
    wanted = isinstance(x, Tensor) and x.requires_grad
    data = np.array(x.data if isinstance(x, Tensor) else x, order="K")
    if data.dtype.kind == "f" and data.dtype != np.float64:
        raise DtypeError(f"gradcheck: floating-point inputs must be float64, got {data.dtype}")
    return Tensor(data, requires_grad=wanted if marked else data.dtype == np.float64)


def _unit_moves(shape):
    for where in np.ndindex(*shape):
        move = np.zeros(shape)
        move[where] = 1.0
        yield where, move


def _central_difference(value: Callable[[], float], point: Tensor, move, eps: float) -> float:
    centre = point.data
    point.data = np.asarray(centre + eps * move)
    above = value()
    point.data = np.asarray(centre - eps * move)
    below = value()
    point.data = centre
    return (above - below) / (2 * eps)
