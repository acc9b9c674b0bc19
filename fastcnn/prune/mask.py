"""prune.mask: the same net with filters silenced: same shapes, zero weights; the oracle for removal."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from itertools import pairwise

import numpy as np

from ..graph import trace
from .chain import Layer, chain, check_plan, expanded
from .constants import passes


def silence(layer: Layer, following: Layer, silenced: np.ndarray, arrays: dict[str, np.ndarray]) -> None:
    """Set to zero, in `arrays`, the filters `silenced` of `layer` and their batch-norm scales.

    Biases and shifts stay where the next layer can take their constant over (`constants.passes`); otherwise they are zero too.
    """
    zeros: list[tuple[str | None, np.ndarray]] = [(layer.op.tensors["weight"], silenced)]
    shifts = [(layer.op.tensors.get("bias"), silenced)]
    for op, expansion in layer.between:
        if op.op == "batch_norm":
            channels = expanded(silenced, expansion)
            if "weight" in op.tensors:
                zeros.append((op.tensors["weight"], channels))
                shifts.append((op.tensors.get("bias"), channels))
            else:  # without a scale: an input of zero and a mean of zero give zero
                zeros += [(op.tensors["running_mean"], channels), shifts[0]]
    for name, channels in zeros if passes(layer, following) else zeros + shifts:
        if name is not None:
            arrays[name] = arrays[name].copy(order="K")
            arrays[name][channels] = 0


def mask(model, example, keep: Mapping[str, object]):
    """Return a copy of `model` in which all filters but those in `keep` are silenced; shapes and names stay.

    Parameters
    ----------
    model : Module
        A chain net; is not changed.
    example : Tensor or array
        One input, see `graph.trace`.
    keep : mapping of layer name to ints
        The filters that stay, see `plan`. Layers that are not named stay whole.

    Notes
    -----
    In evaluation mode the masked net and `shrink(model, example, keep)` compute the same function: only zeros are left out of
    the sums, and constants are moved into the next layer.
    """
    layers = chain(trace(model, example))
    masked = deepcopy(model)
    arrays = arrays_of(masked)
    for layer, following, kept in pairs(layers, check_plan(keep, layers)):
        silence(layer, following, layer.others(kept), arrays)
    put(masked, arrays)
    return masked


def pairs(layers: list[Layer], keep: dict[str, np.ndarray]):
    """Return (layer, next layer, kept filters) of every layer in the plan, in the order of computation."""
    return [(layer, after, keep[layer.name]) for layer, after in pairwise(layers) if layer.name in keep]


def arrays_of(model) -> dict[str, np.ndarray]:
    """Return the arrays of all parameters and buffers by name."""
    return {name: tensor.data for name, tensor in (*model.named_parameters(), *model.named_buffers())}


def put(model, arrays: Mapping[str, np.ndarray]) -> None:
    """Give the parameters and buffers of `model` these arrays; gradients, which may not fit any more, are dropped."""
    for name, tensor in (*model.named_parameters(), *model.named_buffers()):
        if arrays[name] is not tensor.data:
            tensor.data, tensor.grad = arrays[name], None
            tensor.version += 1
