"""autograd.checkpointing: recompute a part of a network in backward instead of keeping its arrays. Papers: [Chen2016]."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy import ndarray

from ..errors import ArgumentError, DtypeError, GradientError
from ..rng import get_state, set_state
from .arithmetic import arithmetic
from .mode import enable_grad, is_grad_enabled, recomputing
from .tape import Node, next_number, record, walk
from .tensor import Tensor


def checkpoint(function: Callable[..., Tensor], *inputs, preserve_rng_state: bool = True) -> Tensor:
    """Return function(*inputs) and keep only the inputs: backward runs the function again. [Chen2016]

    Parameters
    ----------
    function : callable
        Takes the inputs, returns one Tensor, and does the same when called again. Leaves that it uses besides the inputs
        (parameters) get their gradients; intermediate results of other parts must be inputs.
    *inputs : object
        Tensors, or anything else that the function takes.
    preserve_rng_state : bool
        Run again with the state that the global generator had, so that dropout repeats itself; afterwards it is as it was.

    Returns
    -------
    Tensor

    Raises
    ------
    DtypeError
        If the function does not return one Tensor.
    GradientError
        If the function uses a recorded result that is not among its inputs; in backward, if an input or a parameter was
        changed in place since.

    Notes
    -----
    Costs a second forward pass. Running statistics of batch normalisation are updated by the first only, see `is_recomputing`.

    Examples
    --------
    >>> import fastcnn as fc
    >>> x = fc.tensor([1.0, 2.0], requires_grad=True)
    >>> fc.autograd.checkpoint(lambda x: (x * x).relu() * x, x).sum().backward()
    >>> x.grad
    tensor([ 3., 12.])
    """
    if not is_grad_enabled():
        return _result(function(*inputs))
    state = _GeneratorState() if preserve_rng_state else None
    if state is not None:
        arithmetic.at_replay(state.take)
    stand_ins = tuple(_stand_in(x) for x in inputs)
    first = next_number()
    y = _result(function(*stand_ins))
    if y.node is None or y.node.number < first:  # nothing was recorded: an input, a constant or a result from outside
        return next((x for x, s in zip(inputs, stand_ins, strict=True) if s is y), y)
    given = [x for x in inputs if isinstance(x, Tensor)]
    own = {id(s) for s in stand_ins if isinstance(s, Tensor)}
    leaves = [leaf for leaf in _leaves(y.node, first) if id(leaf) not in own]
    sources = (*given, *leaves)
    # the arrays of leaves are listed so that a change in place is noticed
    saved = tuple(t.data for t in sources)
    described = tuple((True, x.requires_grad, None) if isinstance(x, Tensor) else (False, False, x) for x in inputs)
    return record("checkpoint", sources, y.data, _recompute, saved, (function, described, state, tuple(leaves)))


def checkpoint_sequential(functions, segments: int, x, *, preserve_rng_state: bool = True) -> Tensor:
    """Return x after all `functions`, one behind the other, and keep only the inputs of `segments` parts of them. [Chen2016]

    Parameters
    ----------
    functions : Sequential, or iterable of callable
        The layers; each takes and returns one Tensor.
    segments : int
        Parts of about equal length, 1 .. the number of layers. The last one is kept, not run again. About the square root of
        the number of layers needs the least memory.
    x : Tensor
    preserve_rng_state : bool
        As in `checkpoint`.

    Raises
    ------
    ArgumentError
        If there are fewer layers than segments.

    Examples
    --------
    >>> import numpy as np
    >>> import fastcnn as fc
    >>> net = fc.nn.Sequential(*[fc.nn.Linear(4, 4) for _ in range(6)])
    >>> fc.autograd.checkpoint_sequential(net, 2, fc.tensor(np.ones((2, 4), np.float32))).shape
    (2, 4)
    """
    layers = functions if callable(functions) else list(functions)
    if not hasattr(segments, "__index__") or isinstance(segments, bool) or not 1 <= segments <= len(layers):
        raise ArgumentError(
            f"checkpoint_sequential: segments must be an int from 1 to the {len(layers)} layers, got {segments!r}"
        )
    size = len(layers) // segments
    for first in range(0, size * (segments - 1), size):
        x = checkpoint(_part(layers[first : first + size]), x, preserve_rng_state=preserve_rng_state)
    return _part(layers[size * (segments - 1) :])(x)


def _part(layers) -> Callable[[Tensor], Tensor]:
    """Layers as one function: a slice of a Sequential is one already."""

    def run(x):
        for layer in layers:
            x = layer(x)
        return x

    return layers if callable(layers) else run


class _GeneratorState:
    """The state of the global generator, as it was when this was made or at the last `take`."""

    def __init__(self):
        self.take()

    def take(self) -> None:
        self.state = get_state()

    def give_back(self) -> None:
        set_state(self.state)


def _result(y) -> Tensor:
    if not isinstance(y, Tensor):
        raise DtypeError(f"checkpoint: function must return one Tensor, got {type(y).__name__}")
    return y


def _stand_in(x):
    """A leaf on the memory of x, so that the inner graph ends there."""
    return Tensor(x.data, x.requires_grad) if isinstance(x, Tensor) else x


def _leaves(root: Node, first: int) -> list[Tensor]:
    """The leaves that need a gradient below `root`; raise GradientError where the graph leaves the function."""
    found: dict[int, Tensor] = {}
    seen, stack = {root}, [root]
    while stack:
        node = stack.pop()
        for edge, needed in zip(node.inputs, node.needs, strict=True):
            if isinstance(edge, Tensor) and needed:
                found[id(edge)] = edge
            elif isinstance(edge, Node) and edge not in seen:
                if edge.number < first:
                    raise GradientError(f"checkpoint: function uses the result {edge!r} from outside; make it an input")
                seen.add(edge)
                stack.append(edge)
    return list(found.values())


def _recompute(dy: ndarray, saved, case, needs):
    function, described, state, leaves = case
    arrays = iter(saved)
    inputs = [Tensor(next(arrays), wants) if is_tensor else value for is_tensor, wants, value in described]
    outer = _GeneratorState()
    if state is not None:
        arithmetic.at_replay(outer.take)
        state.give_back()
        arithmetic.at_replay(state.give_back)
    try:
        with enable_grad(), recomputing():
            y = function(*inputs)
    finally:
        if state is not None:
            outer.give_back()
            arithmetic.at_replay(outer.give_back)
    wanted = [x for x in inputs if isinstance(x, Tensor)] + list(leaves)
    gradients: dict[int, ndarray] = {}

    def arrive(leaf, dx, dz):
        if id(leaf) in gradients:
            gradients[id(leaf)] = arithmetic.add(gradients[id(leaf)], dx)
        else:  # two leaves may be given one array
            gradients[id(leaf)] = arithmetic.copy(dx) if np.may_share_memory(dx, dz) else dx

    walk(y, dy, False, arrive)
    return tuple(gradients.get(id(t)) if needed else None for t, needed in zip(wanted, needs, strict=True))
