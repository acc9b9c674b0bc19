"""autograd.tensor: an ndarray with a gradient and a place on the tape. Operators are attached by `ops.methods`."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy import ndarray

from ..errors import ArgumentError, DtypeError, GradientError
from .arithmetic import arithmetic
from .array import FLOATS, PLAIN, as_array
from .hook import RemovableHandle
from .mode import mode

if TYPE_CHECKING:
    from .tape import Node


class Tensor:
    """An array that remembers how it was computed.

    Parameters
    ----------
    data : array_like
        float32, float64, integers or bool; memory is shared where possible (`fastcnn.tensor` copies).
    requires_grad : bool
        Whether `backward` computes a gradient for it. Floats only.

    Attributes
    ----------
    data : ndarray
        The values. 4-D data has the logical shape (batch, channels, height, width); its memory may be channels-last.
    grad : Tensor or None
        The sum of the gradients of all calls of `backward` since it was last None.
    node : Node or None
        The recorded operation that made it; None for a leaf.
    version : int
        Raised by one at each change in place (optimizer steps, `load_state_dict`).
    """

    __slots__ = ("__weakref__", "_hooks", "_requires_grad", "data", "grad", "node", "version")
    data: ndarray
    grad: Tensor | None
    node: Node | None
    version: int
    _hooks: list | None
    _requires_grad: bool
    _run_backward: Callable[..., None]  # attached by `tape`: an import at each call would cost as much as a small kernel
    __array_ufunc__ = None  # ndarray + Tensor is left to Tensor.__radd__

    def __init__(self, data, requires_grad: bool = False):
        self.data = data if data.__class__ is ndarray and data.dtype in PLAIN else as_array(data)
        self.grad = self.node = self._hooks = None
        self.version = 0
        self._requires_grad = False
        if requires_grad:
            self.requires_grad = True

    @property
    def requires_grad(self) -> bool:
        return self._requires_grad

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        if self.node is not None and not value:
            raise GradientError("requires_grad can only be switched off for a leaf; use detach()")
        if value and self.data.dtype not in FLOATS:
            raise DtypeError(f"requires_grad needs float32 or float64, got {self.data.dtype}")
        self._requires_grad = bool(value)

    def requires_grad_(self, value: bool = True) -> Tensor:
        """Set `requires_grad` and return the tensor."""
        self.requires_grad = value
        return self

    @property
    def shape(self) -> tuple[int, ...]:
        return self.data.shape

    @property
    def dtype(self) -> np.dtype:
        return self.data.dtype

    @property
    def ndim(self) -> int:
        return self.data.ndim

    @property
    def size(self) -> int:
        """Number of elements."""
        return self.data.size

    @property
    def is_leaf(self) -> bool:
        """True for tensors that no recorded operation made."""
        return self.node is None

    def numel(self) -> int:
        """Return the number of elements."""
        return self.data.size

    def numpy(self) -> ndarray:
        """Return the values as an ndarray that shares the tensor's memory, outside the tape."""
        if mode.witness is not None:
            mode.witness.refuse("numpy(): Python that works on values")
        return self.data

    def item(self):
        """Return the value of a one-element tensor as a Python number."""
        if self.data.size != 1:
            raise ArgumentError(f"item: only a tensor of one element has a value, got shape={self.data.shape}")
        if mode.witness is not None:
            mode.witness.refuse("item(), or a decision of Python by a value")
        return self.data.item()

    def detach(self) -> Tensor:
        """Return a tensor on the same memory that is outside the tape."""
        return Tensor(self.data)

    def backward(self, gradient=None, retain_graph: bool = False) -> None:
        """Compute the gradients of all leaves that this tensor depends on, and add them to their `.grad`.

        Parameters
        ----------
        gradient : array_like, optional
            Gradient with respect to this tensor, of its shape and dtype; may be left out for one element (then 1).
        retain_graph : bool
            Keep the saved arrays, so that backward can run through the graph again.

        Raises
        ------
        GradientError
            If no gradient is required, if `gradient` is missing, if the graph was used before, or if a saved array was
            changed in place since.
        """
        self._run_backward(gradient, retain_graph)

    def retain_grad(self) -> None:
        """Keep the gradient of this intermediate result in `.grad` too."""
        if not self._requires_grad:
            raise GradientError("retain_grad: the tensor does not require a gradient")
        if self.node is not None:
            self.node.retained = weakref.ref(self)

    def register_hook(self, hook: Callable[[Tensor], Any]) -> RemovableHandle:
        """Call hook(gradient) when the gradient of this tensor is complete; a result that is not None replaces it.

        The gradient must not be changed in place. Hooks run in the order of their registration; those of a leaf see the sum of
        one backward, before it is added to `.grad`.
        """
        if not self._requires_grad:
            raise GradientError("register_hook: the tensor does not require a gradient")
        owner = self if self.node is None else self.node
        if owner._hooks is None:
            owner._hooks = []
        owner._hooks.append(hook)
        return RemovableHandle(owner._hooks, hook)

    def zero_grad(self) -> None:
        """Drop the gradient."""
        self.grad = None

    def copy_(self, values) -> Tensor:
        """Overwrite the values in place (broadcasting), outside the tape; the version rises by one."""
        arithmetic.copy_to(self._change_in_place("copy_"), values.data if isinstance(values, Tensor) else values)
        return self

    def _change_in_place(self, op: str) -> ndarray:
        """Return the writable data and raise the version; raise GradientError where the tape would miss the change."""
        if self.node is not None or (self._requires_grad and mode.enabled):
            kind = "a leaf that requires a gradient" if self.node is None else "a recorded result"
            raise GradientError(f"{op}: {kind} cannot be changed in place; use no_grad() and a leaf, or detach()")
        if not self.data.flags.writeable:
            raise ArgumentError(f"{op}: the tensor's memory is read-only (shape={self.data.shape})")
        if mode.witness is not None:
            mode.witness.changes(self)
        self.version += 1
        return self.data

    def __len__(self) -> int:
        if self.data.ndim == 0:
            raise TypeError("len() of a 0-d tensor")
        return len(self.data)

    def __bool__(self) -> bool:
        if self.data.size != 1:
            raise ArgumentError(f"bool: a tensor of shape {self.data.shape} is neither true nor false; it needs one element")
        return bool(self.item())

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __index__(self) -> int:
        if self.data.size != 1 or self.data.dtype.kind not in "iu":
            raise TypeError("only an integer tensor of one element can be an index")
        return int(self.item())

    def __array__(self, dtype=None, copy=None) -> ndarray:
        if mode.witness is not None:
            mode.witness.refuse("a tensor that becomes an array")
        wanted = self.data if dtype is None else self.data.astype(dtype, copy=False)
        return wanted.copy() if copy and wanted is self.data else wanted

    def __dlpack__(self, **options):
        if mode.witness is not None:
            mode.witness.refuse("a tensor that another library reads")
        return self.data.__dlpack__(**options)

    def __dlpack_device__(self):
        return self.data.__dlpack_device__()

    def __deepcopy__(self, memo) -> Tensor:
        if self.node is not None:
            raise GradientError("deepcopy: only leaf tensors can be copied; use detach()")
        twin = type(self).__new__(type(self))
        memo[id(self)] = twin
        twin._hooks = None
        twin.data, twin.node, twin.version, twin._requires_grad = self.data.copy(order="K"), None, 0, self._requires_grad
        twin.grad = None if self.grad is None else Tensor(self.grad.data.copy(order="K"))
        return twin

    def __repr__(self) -> str:
        text = np.array2string(self.data, separator=", ", prefix="tensor(", threshold=1000)
        extra = "" if self.data.dtype in (np.float32, np.int64, np.bool_) else f", dtype={self.data.dtype}"
        origin = f", op={self.node.op}" if self.node is not None else ", requires_grad=True" if self._requires_grad else ""
        return f"tensor({text}{extra}{origin})"

    if TYPE_CHECKING:  # what ops.methods attaches
        T: Tensor

        def __add__(self, other: Any) -> Tensor: ...
        def __radd__(self, other: Any) -> Tensor: ...
        def __sub__(self, other: Any) -> Tensor: ...
        def __rsub__(self, other: Any) -> Tensor: ...
        def __mul__(self, other: Any) -> Tensor: ...
        def __rmul__(self, other: Any) -> Tensor: ...
        def __truediv__(self, other: Any) -> Tensor: ...
        def __rtruediv__(self, other: Any) -> Tensor: ...
        def __pow__(self, other: Any) -> Tensor: ...
        def __rpow__(self, other: Any) -> Tensor: ...
        def __matmul__(self, other: Any) -> Tensor: ...
        def __rmatmul__(self, other: Any) -> Tensor: ...
        def __lt__(self, other: Any) -> Tensor: ...
        def __le__(self, other: Any) -> Tensor: ...
        def __gt__(self, other: Any) -> Tensor: ...
        def __ge__(self, other: Any) -> Tensor: ...
        def __eq__(self, other: Any) -> Tensor: ...  # type: ignore[override]
        def __ne__(self, other: Any) -> Tensor: ...  # type: ignore[override]
        def __neg__(self) -> Tensor: ...
        def __getitem__(self, index: Any) -> Tensor: ...
        def __abs__(self) -> Tensor: ...
        def abs(self) -> Tensor: ...
        def argmax(self, dim: int | None = None, keepdim: bool = False) -> Tensor: ...
        def argmin(self, dim: int | None = None, keepdim: bool = False) -> Tensor: ...
        def astype(self, dtype: Any) -> Tensor: ...
        def chunk(self, chunks: int, dim: int = 0) -> tuple[Tensor, ...]: ...
        def clamp(self, min: float | None = None, max: float | None = None) -> Tensor: ...
        def double(self) -> Tensor: ...
        def exp(self) -> Tensor: ...
        def flatten(self, start_dim: int = 0, end_dim: int = -1) -> Tensor: ...
        def float(self) -> Tensor: ...
        def log(self) -> Tensor: ...
        def log_softmax(self, dim: int = -1) -> Tensor: ...
        def long(self) -> Tensor: ...
        def matmul(self, y: Any) -> Tensor: ...
        def max(self, dim: Any = None, keepdim: bool = False) -> Any: ...
        def maximum(self, y: Any) -> Tensor: ...
        def mean(self, dim: Any = None, keepdim: bool = False) -> Tensor: ...
        def min(self, dim: Any = None, keepdim: bool = False) -> Any: ...
        def minimum(self, y: Any) -> Tensor: ...
        def permute(self, *dims: Any) -> Tensor: ...
        def relu(self) -> Tensor: ...
        def reshape(self, *shape: Any) -> Tensor: ...
        def sigmoid(self) -> Tensor: ...
        def softmax(self, dim: int = -1) -> Tensor: ...
        def split(self, split_size_or_sections: Any, dim: int = 0) -> tuple[Tensor, ...]: ...
        def sqrt(self) -> Tensor: ...
        def squeeze(self, dim: Any = None) -> Tensor: ...
        def sum(self, dim: Any = None, keepdim: bool = False) -> Tensor: ...
        def tanh(self) -> Tensor: ...
        def transpose(self, dim0: int, dim1: int) -> Tensor: ...
        def unsqueeze(self, dim: int) -> Tensor: ...
        def view(self, *shape: Any) -> Tensor: ...
        def where(self, condition: Any, y: Any) -> Tensor: ...
