"""prune.chain: the graph as a chain of layers with weights, and what lies between them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

import numpy as np

from ..errors import ArgumentError
from ..graph import EXAMPLE, Graph, Op

WEIGHTED = ("conv2d", "linear")
# Ops that keep channels apart: channel c of the result depends on channel c of the input alone.
BETWEEN = ("batch_norm", "relu", "max_pool2d", "avg_pool2d", "adaptive_avg_pool2d", "dropout", "flatten")


@dataclass(frozen=True)
class Layer:
    """A convolution or linear layer, and the ops between it and the next one.

    Attributes
    ----------
    op : Op
    width : int
        Number of filters (output channels, hidden units).
    between : tuple of (Op, int)
        Each op with its expansion: how many neighbouring channels of its input stem from one filter (1 until a flatten).
    expansion : int
        The same for the input of the next layer.
    """

    op: Op
    width: int
    between: tuple[tuple[Op, int], ...]
    expansion: int

    @property
    def name(self) -> str:
        """Name of the module."""
        return self.op.module

    def others(self, kept: np.ndarray) -> np.ndarray:
        """Return the filters that are not in `kept`."""
        return np.setdiff1d(np.arange(self.width), kept)


def expanded(channels: np.ndarray, expansion: int) -> np.ndarray:
    """Return the positions that `channels` take when each of them stands for `expansion` neighbours."""
    return (channels[:, None] * expansion + np.arange(expansion)).reshape(-1)


def chain(graph: Graph) -> list[Layer]:
    """Return the layers of a chain net.

    Raises ArgumentError, naming the op, when the graph branches, shares weights, or has an op that pruning does not know.
    """
    _check_chain(graph)
    starts = [op.number for op in graph.ops if op.op in WEIGHTED]
    if not starts:
        raise ArgumentError("prune: the model has no convolution and no linear layer")
    layers = []
    for start, stop in zip(starts, [*starts[1:], len(graph.ops)], strict=True):
        op, between, expansion = graph.ops[start], [], 1
        for follower in graph.ops[start + 1 : stop]:
            between.append((follower, expansion))
            if follower.op == "flatten":
                expansion *= prod(follower.input_shapes[0][2:])
        layers.append(Layer(op, op.shape[1], tuple(between), expansion))
    names = [layer.name for layer in layers]
    for name in names:
        if names.count(name) > 1:
            raise ArgumentError(f"prune: the layer {name!r} is used twice; shared weights cannot be pruned")
    return layers


def _check_chain(graph: Graph) -> None:
    for op in graph.ops:
        where = f"op {op.number} {op.op!r}" + (f" ({op.module})" if op.module else "")
        if len(op.sources) != 1 or op.sources[0] != (op.number - 1 if op.number else EXAMPLE):
            raise ArgumentError(f"prune: {where} joins or branches; only a chain of layers can be pruned")
        if op.op not in WEIGHTED + BETWEEN:
            raise ArgumentError(f"prune: {where} is not one of {', '.join(WEIGHTED + BETWEEN)}")
        if op.op in WEIGHTED and "weight" not in op.tensors:
            raise ArgumentError(f"prune: the weight of {where} is not a parameter of the model")
        if op.op == "conv2d" and op.case.groups != 1:
            raise ArgumentError(f"prune: {where} has groups={op.case.groups}; grouped convolutions cannot be pruned")
        if op.op == "batch_norm" and "running_mean" not in op.tensors:
            raise ArgumentError(f"prune: {where} normalises by its batch; only batch-norm with running statistics can be pruned")
        if op.op == "linear" and len(op.shape) != 2:
            raise ArgumentError(
                f"prune: {where} works on the last of {len(op.shape)} axes; flatten its input to (batch, features)"
            )
        if op.op == "flatten" and op.case != (1, len(op.input_shapes[0]) - 1):
            raise ArgumentError(f"prune: {where} must flatten all axes but the first, got axes {op.case}")


def check_plan(keep: Mapping[str, object], layers: list[Layer]) -> dict[str, np.ndarray]:
    """Return the plan with sorted int64 arrays; raise ArgumentError when a layer or a filter does not exist."""
    widths = {layer.name: layer.width for layer in layers[:-1]}
    checked = {}
    for name, filters in keep.items():
        if name not in widths:
            known = ", ".join(widths) or "none"
            raise ArgumentError(f"prune: {name!r} is not a layer whose filters can be removed (those are: {known})")
        given = np.asarray(filters)
        array = np.unique(given)
        if given.ndim != 1 or given.dtype.kind not in "iu" or not given.size or array.size != given.size:
            raise ArgumentError(f"prune: the plan of {name!r} must be different ints, at least one, got {filters!r}")
        if array[0] < 0 or array[-1] >= widths[name]:
            raise ArgumentError(
                f"prune: the plan of {name!r} must lie between 0 and {widths[name] - 1}, got {array[0]} to {array[-1]}"
            )
        checked[name] = array.astype(np.int64)
    return checked
