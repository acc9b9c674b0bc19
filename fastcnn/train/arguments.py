"""train.arguments: arguments and results of a captured step as trees: what kind they are, their arrays, the same tree again."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy import ndarray

from ..autograd import Tensor

PLAIN = (int, float, complex, str, bytes, bool, type(None))


def order_of(x: ndarray) -> tuple[int, ...] | None:
    """The axes from the slowest to the fastest in memory; None for C order."""
    return None if x.flags.c_contiguous else tuple(np.argsort([-abs(s) for s in x.strides], kind="stable").tolist())


class Same:
    """Equal to what stands for the same object, which it keeps alive."""

    def __init__(self, value):
        self.value = value

    def __eq__(self, other) -> bool:
        return isinstance(other, Same) and other.value is self.value

    def __hash__(self) -> int:
        return id(self.value)


def kind(value):
    """Return a hashable description: arrays by shape, dtype, order in memory, plain values by value, others by identity."""
    if isinstance(value, Tensor):
        x = value.data
        return Tensor, x.shape, x.dtype, order_of(x), value._requires_grad, value.node is None
    if isinstance(value, ndarray):
        return ndarray, value.shape, value.dtype, order_of(value)
    if isinstance(value, (tuple, list)):
        return type(value), *map(kind, value)
    if isinstance(value, dict):
        return dict, *((key, kind(each)) for key, each in value.items())
    if isinstance(value, PLAIN):
        return type(value), value
    if isinstance(value, np.generic):
        return type(value), value.item()
    return Same(value)


def leaves(value) -> Iterator[Tensor | ndarray]:
    """Yield the Tensors and arrays of a tree from left to right."""
    if isinstance(value, (Tensor, ndarray)):
        yield value
    elif isinstance(value, (tuple, list, dict)):
        for each in value.values() if isinstance(value, dict) else value:
            yield from leaves(each)


def arrays(value) -> Iterator[ndarray]:
    """Yield the arrays of a tree, those of Tensors too."""
    return (leaf.data if isinstance(leaf, Tensor) else leaf for leaf in leaves(value))


def tensors(value) -> list[Tensor]:
    """Return the Tensors of a tree."""
    return [leaf for leaf in leaves(value) if isinstance(leaf, Tensor)]


def unfit(value) -> str | None:
    """Say why a tree cannot be the arguments of a recording."""
    if any(t._requires_grad for t in tensors(value)):
        return "an argument that requires a gradient"
    wrong = next((x for x in arrays(value) if x.dtype.kind not in "biuf" or x.itemsize > 8 or not x.dtype.isnative), None)
    return None if wrong is None else f"an argument of dtype {wrong.dtype}"


def rebuilt(value, each: Callable[[ndarray], ndarray]):
    """Return the tree with `each(array)` in the place of every array; Tensors become leaves."""
    if isinstance(value, Tensor):
        return Tensor(each(value.data))
    if isinstance(value, ndarray):
        return each(value)
    if isinstance(value, (tuple, list)):
        parts = [rebuilt(part, each) for part in value]
        return type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)
    if isinstance(value, dict):
        return {key: rebuilt(part, each) for key, part in value.items()}
    return value
