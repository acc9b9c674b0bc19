"""autograd.arithmetic: the sums and copies that the tape itself makes. NumPy's here; `ops` puts the kernels in their place."""

from __future__ import annotations

from collections.abc import Callable
from operator import iadd

import numpy as np
from numpy import ndarray


class Arithmetic:
    """Four functions of arrays of one shape and dtype; the tape is told them, it knows no kernel.

    Attributes
    ----------
    add : callable
        add(a, b) returns a + b.
    add_to : callable
        add_to(total, x) does total += x.
    copy : callable
        copy(x) returns a copy in the memory order of x.
    ones : callable
        ones(x) returns ones of the shape and dtype of x.
    """

    def __init__(self):
        self.add: Callable[[ndarray, ndarray], ndarray] = np.add
        self.add_to: Callable[[ndarray, ndarray], object] = iadd
        self.copy: Callable[[ndarray], ndarray] = np.array
        self.ones: Callable[[ndarray], ndarray] = np.ones_like


arithmetic = Arithmetic()
