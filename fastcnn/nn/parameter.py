"""nn.parameter: a tensor that a module trains."""

from __future__ import annotations

from ..autograd import Tensor


class Parameter(Tensor):
    """A leaf tensor that `Module.parameters()` finds as an attribute of a module.

    Parameters
    ----------
    data : array_like
        float32 or float64; memory is shared.
    requires_grad : bool
        False freezes it.
    """

    __slots__ = ()

    def __init__(self, data, requires_grad: bool = True):
        super().__init__(data.data if isinstance(data, Tensor) else data, requires_grad)

    def __repr__(self) -> str:
        return f"Parameter({super().__repr__()})"
