"""autograd.arithmetic: the sums and copies that the tape itself makes. NumPy's here; `ops` puts the kernels in their place."""

from __future__ import annotations

from collections.abc import Callable
from operator import iadd

import numpy as np
from numpy import ndarray


def _assign(out: ndarray, x) -> None:
    out[...] = x


class Arithmetic:
    """Functions of arrays of one shape and dtype; the tape is told them, it knows no kernel.

    Attributes
    ----------
    add : callable
        add(a, b) returns a + b.
    add_to : callable
        add_to(total, x) does total += x.
    copy : callable
        copy(x) returns a copy in the memory order of x.
    copy_to : callable
        copy_to(out, x) does out[...] = x, of whatever broadcasts to it.
    at_replay : callable
        at_replay(function) has function() run at this place when the step is replayed that is being captured, if one is.
    ones : callable
        ones(x) returns ones of the shape and dtype of x.
    """

    def __init__(self):
        self.add: Callable[[ndarray, ndarray], ndarray] = np.add
        self.add_to: Callable[[ndarray, ndarray], object] = iadd
        self.copy: Callable[[ndarray], ndarray] = np.array
        self.copy_to: Callable[[ndarray, object], object] = _assign
        self.at_replay: Callable[[Callable[[], object]], object] = lambda function: None
        self.ones: Callable[[ndarray], ndarray] = np.ones_like


arithmetic = Arithmetic()
