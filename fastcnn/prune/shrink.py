"""prune.shrink: the smaller net: rows and columns of weights, biases and statistics taken out."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy

import numpy as np

from ..graph import trace
from .chain import Layer, chain, check_plan, expanded
from .constants import move, passes
from .mask import arrays_of, pairs, put, silence


def shrink(model, example, keep: Mapping[str, object]):
    """Return a copy of `model` that has only the filters in `keep`.

    Parameters
    ----------
    model : Module
        A chain net; is not changed.
    example : Tensor or array
        One input, see `graph.trace`.
    keep : mapping of layer name to ints
        The filters that stay, see `plan`. Layers that are not named stay whole.

    Returns
    -------
    Module
        Of the same class, with the same parameter names and smaller shapes.

    Notes
    -----
    Removed with a filter: its bias, its batch-norm entries, and the weights of the next layer that read it (after a flatten
    all features of its channel). What its bias or batch-norm shift still added to the next layer moves into that layer's bias,
    or into the mean of its batch-norm, wherever that is exact; see `mask`, which computes the same function.
    """
    layers = chain(trace(model, example))
    small = deepcopy(model)
    arrays = arrays_of(small)
    work = pairs(layers, check_plan(keep, layers))
    for layer, following, kept in work:  # all before the first move: a silenced filter takes over no constant
        silence(layer, following, layer.others(kept), arrays)
    for layer, following, kept in work:
        if passes(layer, following):
            move(layer, following, layer.others(kept), arrays)
        _take_out(layer, following, kept, arrays)
    put(small, arrays)
    _update_sizes(small, layers)
    return small


def _take_out(layer: Layer, following: Layer, kept: np.ndarray, arrays: dict[str, np.ndarray]) -> None:
    for name in layer.op.tensors.values():
        arrays[name] = _taken(arrays[name], kept, axis=0)
    for op, expansion in layer.between:
        for name in op.tensors.values():
            arrays[name] = _taken(arrays[name], expanded(kept, expansion), axis=0)
    weight = following.op.tensors["weight"]
    arrays[weight] = _taken(arrays[weight], expanded(kept, layer.expansion), axis=1)


def _taken(array: np.ndarray, positions: np.ndarray, axis: int) -> np.ndarray:
    """Return a new array; weights of convolutions lie in channels-last memory, as `nn.Conv2d` makes them."""
    part = array.take(positions, axis)
    # (co, ci, kh, kw) -> (co, kh, kw, ci) in memory
    return np.ascontiguousarray(part.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2) if part.ndim == 4 else part


def _update_sizes(model, layers: list[Layer]) -> None:
    """Set the size attributes of the modules to the shapes of their weights."""
    modules = dict(model.named_modules())
    names = {"conv2d": ("out_channels", "in_channels"), "linear": ("out_features", "in_features")}
    for layer in layers:
        shape = modules[layer.name].weight.shape
        for attribute, size in zip(names[layer.op.op], shape, strict=False):
            if hasattr(modules[layer.name], attribute):
                setattr(modules[layer.name], attribute, size)
        for op, _ in layer.between:
            if op.op == "batch_norm" and op.module and hasattr(modules[op.module], "num_features"):
                tensor = dict(modules[op.module].named_buffers())["running_mean"]
                modules[op.module].num_features = tensor.shape[0]
