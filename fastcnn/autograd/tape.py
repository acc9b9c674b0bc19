"""autograd.tape: records operations and runs them backwards. Knows arrays and functions, no operation in particular.

Each recorded result holds a `Node`. A node points to what it was computed from (the nodes of intermediate results, the
tensors that are leaves) and never to its own result, so the graph has no cycle and dies by reference counting. Nodes are
numbered in the order of their creation; walking them in falling order is a topological order.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count
from typing import Any, NamedTuple

import numpy as np
from numpy import ndarray

from ..errors import DtypeError, GradientError, ShapeError
from .arithmetic import arithmetic
from .array import as_array
from .mode import mode
from .tensor import Tensor

next_number = count(1).__next__
new = Tensor.__new__
_TAKE_PAIRS: set[Callable] = set()
_ALL_NODES = -1  # `version` of a node none of whose inputs is a leaf: nothing to compare


class Node:
    """One recorded operation.

    Attributes
    ----------
    op : str
        Name of the operation, as in `fastcnn.ops`.
    inputs : tuple of Node, Tensor or None
        Where each input came from: the Node of an intermediate result, the Tensor itself if it is a leaf (a parameter or
        a constant), None for an absent or plain-number input. Empty after backward.
    needs : tuple of bool
        Which inputs need a gradient.
    saved : object
        What `_forward` kept for `_backward`; None after backward.
    case : object
        Geometry and options of the operation (hashable data, no gradient flows to it).
    shape : tuple of int
        Shape of the result.
    number : int
        Position in the order of creation.
    """

    __slots__ = ("_hooks", "backward", "case", "inputs", "needs", "number", "op", "retained", "saved", "shape", "version")
    op: str
    inputs: tuple[Node | Tensor | None, ...]
    needs: tuple[bool, ...]
    saved: Any
    case: Any
    shape: tuple[int, ...]
    number: int
    backward: Callable | None
    retained: Callable[[], Tensor | None] | None
    version: int
    _hooks: list | None

    def __repr__(self) -> str:
        return f"<Node {self.number} {self.op} {self.shape}>"


class Pair(NamedTuple):
    """Two gradients of one result that are not added yet."""

    first: ndarray
    second: ndarray


def takes_pairs(backward: Callable) -> Callable:
    """Mark a `backward` of `record` that takes a Pair too as dy, and then returns new arrays only.

    What has two users, such as the input of a residual block, then costs no pass over memory for the sum.
    """
    _TAKE_PAIRS.add(backward)
    return backward


def record(op: str, inputs: tuple, y: ndarray, backward: Callable, saved=None, case=None) -> Tensor:
    """Return `y` as a Tensor, on the tape if this thread records and one of the inputs requires a gradient.

    Parameters
    ----------
    op : str
        Name of the operation.
    inputs : tuple of Tensor or None
    y : ndarray
        The result.
    backward : callable
        `backward(dy, saved, case, needs)` returns a tuple with one gradient (ndarray of the input's shape and dtype) or
        None per input. It must not change `dy` or `saved`, nor return one new array twice. It must not hold a Tensor.
    saved, case : object
        Handed to `backward`.
    """
    if mode.witness is not None:
        mode.witness.saw(op, inputs)
    result = new(Tensor)  # all that Tensor(y) would do: its call takes as long as a small kernel
    result.data = y if y.__class__ is ndarray else as_array(y)
    result.grad = result.node = result._hooks = None
    result.version, result._requires_grad = 0, False
    for t in inputs:
        if t is not None and t._requires_grad:
            break
    else:
        return result
    if not mode.enabled:
        return result
    node = Node()
    edges: list[Node | Tensor | None] = []
    needs: list[bool] = []
    version = _ALL_NODES
    for t in inputs:
        if t is None:
            edges.append(None)
            needs.append(False)
        elif t.node is not None:
            edges.append(t.node)
            needs.append(True)
        else:
            edges.append(t)
            needs.append(t._requires_grad)
            version = t.version if version == _ALL_NODES else version + t.version
    node.op, node.inputs, node.needs, node.saved, node.case = op, tuple(edges), tuple(needs), saved, case
    node.backward, node.version, node.retained, node.number = backward, version, None, next_number()
    node._hooks = None
    node.shape = result.data.shape
    result.node, result._requires_grad = node, True
    return result


def backward(root: Tensor, gradient=None, retain_graph: bool = False) -> None:
    """Add d(sum(root * gradient)) / d(leaf) to `.grad` of every leaf that requires it. See `Tensor.backward`."""
    walk(root, _seed(root, gradient), retain_graph, _accumulate)


Tensor._run_backward = backward


def walk(root: Tensor, dy: ndarray, retain_graph: bool, arrive: Callable) -> None:
    """Run the graph backwards from `root` with the gradient `dy`; call arrive(leaf, dx, dy) where a leaf is reached.

    `dy` is then the gradient that dx was computed from, which it may be a view of. Hooks of leaves run when their `.grad` is
    what the gradients are added to.
    """
    hooked: dict[int, tuple[Tensor, ndarray]] = {}  # leaves with hooks: the gradients are summed first
    if root.node is None:
        if root._hooks and arrive is _accumulate:
            dy = _hook(root._hooks, dy)
        arrive(root, dy, dy)
        return
    gradients: dict[Node, Any] = {root.node: dy}
    first = 0 if mode.witness is None else mode.witness.first
    heap = [(-root.node.number, root.node)]
    while heap:
        node = heappop(heap)[1]
        dy = gradients.pop(node)
        function, inputs = node.backward, node.inputs
        if function is None:
            raise GradientError(
                f"backward: the graph through {node.op!r} was already used and its saved arrays are freed; "
                "call backward(retain_graph=True) the first time, or compute the result again"
            )
        if node.number < first and mode.witness is not None:
            mode.witness.refuse(f"the gradient of {node.op!r}, which was computed outside of the step")
        if node.version != _ALL_NODES:
            _check_versions(node)
        if node._hooks or node.retained is not None:
            dy = _shown(node, dy)
        results = function(dy, node.saved, node.case, node.needs)
        if isinstance(dy, Pair):
            dy = dy.first
        if not retain_graph:
            node.backward = node.saved = None
            node.inputs = ()
        for edge, needed, dx in zip(inputs, node.needs, results, strict=True):
            if not needed or dx is None:
                continue
            if isinstance(edge, Node):
                earlier = gradients.get(edge)
                if earlier is None:
                    gradients[edge] = dx
                    heappush(heap, (-edge.number, edge))
                else:
                    gradients[edge] = _both(earlier, dx, edge.backward in _TAKE_PAIRS)
            elif isinstance(edge, Tensor):
                if edge._hooks and arrive is _accumulate:
                    so_far = hooked.get(id(edge))
                    hooked[id(edge)] = (edge, arithmetic.add(so_far[1], dx) if so_far else arithmetic.copy(dx))
                else:
                    arrive(edge, dx, dy)
    for leaf, dx in hooked.values():
        dx = _hook(leaf._hooks or (), dx)
        arrive(leaf, dx, dx)


def _both(earlier: ndarray | Pair, dx: ndarray, pairs: bool) -> ndarray | Pair:
    """Return the sum of two gradients, or a Pair of them where that will do."""
    if isinstance(earlier, Pair):
        return arithmetic.add(arithmetic.add(*earlier), dx)
    return Pair(earlier, dx) if pairs else arithmetic.add(earlier, dx)


def _shown(node: Node, dy: ndarray | Pair) -> ndarray:
    """Return the gradient of a result after its hooks, which retain_grad keeps."""
    dy = arithmetic.add(*dy) if isinstance(dy, Pair) else dy
    if node._hooks:
        dy = _hook(node._hooks, dy)
    if node.retained is not None:
        _retain(node.retained(), dy)
    return dy


def _hook(hooks, dy: ndarray) -> ndarray:
    """Return `dy`, or what the hooks make of it; raise unless that has its shape and dtype."""
    for hook in tuple(hooks):
        changed = hook(Tensor(dy))
        if changed is None:
            if mode.witness is not None:
                mode.witness.refuse("a hook on a gradient that returns nothing: a replay would not call it")
        else:
            new = changed.data if isinstance(changed, Tensor) else as_array(changed)
            if new.shape != dy.shape or new.dtype != dy.dtype:
                raise GradientError(
                    f"register_hook: a hook must return a gradient of shape {dy.shape}, {dy.dtype}; got {new.shape}, {new.dtype}"
                )
            dy = new
    return dy


def _seed(root: Tensor, gradient) -> ndarray:
    if not root._requires_grad:
        raise GradientError("backward: the tensor does not require a gradient (no recorded operation led to it)")
    y = root.data
    if gradient is None:
        if y.size != 1:
            raise GradientError(f"backward: gradient is needed for a tensor of more than one element (shape={y.shape})")
        return arithmetic.ones(y)
    if gradient.__class__ is ndarray and gradient.dtype is y.dtype and gradient.shape == y.shape:
        return gradient
    if not isinstance(gradient, Tensor):
        gradient = Tensor(as_array(gradient, None if hasattr(gradient, "dtype") else y.dtype))
    dy = gradient.data
    if dy.dtype != y.dtype:
        raise DtypeError(f"backward: gradient must have dtype {y.dtype}, got {dy.dtype}")
    if dy.shape != y.shape:
        raise ShapeError(f"backward: gradient must have shape {y.shape}, got {dy.shape}")
    return dy


def _accumulate(leaf: Tensor, dx, dy) -> None:
    """Add `dx` to `leaf.grad`; `dy` is the gradient it was computed from, which it may be a view of."""
    if mode.witness is not None:
        mode.witness.accumulates(leaf)
    if leaf.grad is not None:
        held = leaf.grad.data
        if held.flags.writeable:
            arithmetic.add_to(held, dx)
        else:
            leaf.grad = Tensor(arithmetic.add(held, dx))
    elif dx is dy or _owner(dx) is _owner(dy):
        leaf.grad = Tensor(arithmetic.copy(dx))
    else:
        leaf.grad = Tensor(dx)


def _owner(array: ndarray):
    """What holds the memory of an array: equal for a gradient and its views (np.may_share_memory takes three times as long)."""
    while isinstance(array.base, ndarray):
        array = array.base
    return array if array.base is None else array.base


def _retain(tensor: Tensor | None, dy) -> None:
    if tensor is not None:
        if mode.witness is not None:
            mode.witness.refuse("retain_grad() of an intermediate result")
        tensor.grad = Tensor(arithmetic.copy(dy) if tensor.grad is None else arithmetic.add(tensor.grad.data, dy))


def _check_versions(node: Node) -> None:
    """Raise GradientError if a leaf was changed in place since the forward pass and its memory is among the saved arrays."""
    leaves = [t for t in node.inputs if isinstance(t, Tensor)]
    if sum(t.version for t in leaves) == node.version:
        return
    saved = node.saved if isinstance(node.saved, tuple) else (node.saved,)
    for t in leaves:
        if any(isinstance(a, ndarray) and np.may_share_memory(a, t.data) for a in saved):
            raise GradientError(
                f"backward: a tensor of shape {t.data.shape} that {node.op!r} saved was changed in place after the forward "
                "pass (an optimizer step between forward and backward?); compute the result again before backward"
            )
