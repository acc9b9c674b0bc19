"""prune.constants: what a silenced filter still adds, and whether the next layer can take that over exactly.

A silenced filter has zero weights (and a zero batch-norm scale), so its output is one constant per channel: its bias, or the
batch-norm's shift, carried through ReLU and pooling. The next layer multiplies that constant by its weights: a constant per
output channel, the same at each pixel unless the convolution pads its input with zeros.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from .chain import Layer, expanded


def home(layer: Layer) -> str | None:
    """Return the name of the tensor of `layer` that can take over a constant of its input: its bias or, without one, the
    running mean of a batch-norm right behind it; None when the layer pads its input or has neither."""
    case = layer.op.case
    if layer.op.op == "conv2d" and any((case.pt, case.pb, case.pl, case.pr)):
        return None
    if "bias" in layer.op.tensors:
        return layer.op.tensors["bias"]
    if layer.between and layer.between[0][0].op == "batch_norm":
        return layer.between[0][0].tensors.get("running_mean")
    return None


def passes(layer: Layer, following: Layer) -> bool:
    """Say whether the constants of `layer`'s silenced filters can move into `following`, exactly."""
    padded = any(op.op == "avg_pool2d" and (op.case.ph or op.case.pw) for op, _ in layer.between)
    return home(following) is not None and not padded


def values(layer: Layer, silenced: np.ndarray, arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return the constants that the `silenced` filters send to the next layer, (silenced * expansion,)."""
    bias = layer.op.tensors.get("bias")
    value = arrays[bias][silenced] if bias else np.zeros(silenced.size, arrays[layer.op.tensors["weight"]].dtype)
    for op, expansion in layer.between:
        if op.op == "batch_norm":  # its scale is zero: what is left is its shift
            shift = op.tensors.get("bias")
            value = arrays[shift][expanded(silenced, expansion)] if shift else np.zeros_like(value)
        elif op.op == "relu":
            value = np.maximum(value, 0)
        elif op.op == "flatten":  # features per channel
            value = np.repeat(value, op.shape[1] // op.input_shapes[0][1])
    return value


def move(layer: Layer, following: Layer, silenced: np.ndarray, arrays: dict[str, np.ndarray]) -> None:
    """Add to `arrays` of `following` what the silenced filters of `layer` send to it; only where `passes` says so."""
    name = home(following)
    assert name is not None
    weight = arrays[following.op.tensors["weight"]]
    # (co, ci, kh, kw) or (co, ci) -> (co, silenced * expansion)
    columns = weight[:, expanded(silenced, layer.expansion)].reshape(len(weight), -1, weight[0, 0].size).sum(axis=2)
    delta = columns @ values(layer, silenced, arrays)
    sign = 1 if name == following.op.tensors.get("bias") else -1  # a batch-norm subtracts its mean
    arrays[name] = arrays[name] + sign * delta
