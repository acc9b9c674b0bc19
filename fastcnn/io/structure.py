"""io.structure: chains and blocks of known layers as plain data, and back; a whitelist, no code is run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import isfinite
from typing import NamedTuple

import numpy as np

from .. import nn, rng
from ..errors import FastcnnError, FileFormatError

MAX_LAYERS, MAX_DEPTH = 10_000, 20  # of a file; what `describe` writes is held to them too


class Layer(NamedTuple):
    """What a file says of one kind of layer: its options, and which tensors of which shapes follow from them."""

    options: tuple[str, ...] = ()
    shapes: Callable[[dict], dict[str, tuple[int, ...]]] = lambda options: {}


def _conv2d(o: dict) -> dict[str, tuple[int, ...]]:
    kernel = o["kernel_size"] if isinstance(o["kernel_size"], tuple) else (o["kernel_size"],) * 2
    shapes: dict[str, tuple[int, ...]] = {"weight": (o["out_channels"], o["in_channels"] // o["groups"], *kernel)}
    return {**shapes, "bias": (o["out_channels"],)} if o["bias"] else shapes


def _linear(o: dict) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {"weight": (o["out_features"], o["in_features"])}
    return {**shapes, "bias": (o["out_features"],)} if o["bias"] else shapes


def _batch_norm(o: dict) -> dict[str, tuple[int, ...]]:
    names = ["weight", "bias"] * bool(o["affine"]) + ["running_mean", "running_var"] * bool(o["track_running_stats"])
    shapes: dict[str, tuple[int, ...]] = dict.fromkeys(names, (o["num_features"],))
    return {**shapes, "num_batches_tracked": ()} if o["track_running_stats"] else shapes


def _conv_transpose2d(o: dict) -> dict[str, tuple[int, ...]]:
    kernel = o["kernel_size"] if isinstance(o["kernel_size"], tuple) else (o["kernel_size"],) * 2
    shapes: dict[str, tuple[int, ...]] = {"weight": (o["in_channels"], o["out_channels"] // o["groups"], *kernel)}
    return {**shapes, "bias": (o["out_channels"],)} if o["bias"] else shapes


def _group_norm(o: dict) -> dict[str, tuple[int, ...]]:
    return dict.fromkeys(("weight", "bias"), (o["num_channels"],)) if o["affine"] else {}


def _layer_norm(o: dict) -> dict[str, tuple[int, ...]]:
    shape = o["normalized_shape"] if isinstance(o["normalized_shape"], tuple) else (o["normalized_shape"],)
    return dict.fromkeys(["weight"] + ["bias"] * o["bias"], shape) if o["elementwise_affine"] else {}


LAYERS: dict[str, Layer] = {
    "AdaptiveAvgPool2d": Layer(("output_size",)),
    "AdaptiveMaxPool2d": Layer(("output_size",)),
    "AvgPool2d": Layer(("kernel_size", "stride", "padding", "ceil_mode", "count_include_pad")),
    **dict.fromkeys(
        ("BatchNorm1d", "BatchNorm2d"), Layer(("num_features", "eps", "momentum", "affine", "track_running_stats"), _batch_norm)
    ),
    "Conv2d": Layer(("in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "groups", "bias"), _conv2d),
    "ConvTranspose2d": Layer(
        ("in_channels", "out_channels", "kernel_size", "stride", "padding", "output_padding", "groups", "bias", "dilation"),
        _conv_transpose2d,
    ),
    **dict.fromkeys(("Dropout", "Dropout2d"), Layer(("p",))),
    "ELU": Layer(("alpha",)),
    "Flatten": Layer(("start_dim", "end_dim")),
    "GELU": Layer(("approximate",)),
    "GroupNorm": Layer(("num_groups", "num_channels", "eps", "affine"), _group_norm),
    "LayerNorm": Layer(("normalized_shape", "eps", "elementwise_affine", "bias"), _layer_norm),
    "LeakyReLU": Layer(("negative_slope",)),
    "Linear": Layer(("in_features", "out_features", "bias"), _linear),
    "LocalResponseNorm": Layer(("size", "alpha", "beta", "k")),
    "MaxPool2d": Layer(("kernel_size", "stride", "padding", "dilation", "ceil_mode")),
    **dict.fromkeys(("Hardsigmoid", "Hardswish", "Identity", "ReLU", "ReLU6", "SiLU", "Sigmoid", "Tanh"), Layer()),
    **dict.fromkeys(("ReflectionPad2d", "ReplicationPad2d", "ZeroPad2d"), Layer(("padding",))),
    **dict.fromkeys(("LogSoftmax", "Softmax"), Layer(("dim",))),
    "Softplus": Layer(("beta", "threshold")),
    "Upsample": Layer(("size", "scale_factor", "mode", "align_corners")),
}
# Blocks made of other layers: the names of their children. They have no tensors of their own.
BLOCKS: dict[str, tuple[str, ...]] = {
    "DepthwiseSeparable": ("depthwise", "pointwise"),
    "SqueezeExcitation": ("activation", "avgpool", "fc1", "fc2", "scale_activation"),
}


def _is_int(value) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value) -> bool:
    return _is_int(value) or (isinstance(value, float) and isfinite(value))


def _is_size(value) -> bool:
    return _is_int(value) or (isinstance(value, tuple) and len(value) in (2, 4) and all(map(_is_int, value)))


def _each(check: Callable[[object], bool], value) -> bool:
    return all(map(check, value)) if isinstance(value, tuple) else check(value)


# What an option may be, "Layer.option" before "option"; those not named are ints.
CHECKS: dict[str, Callable[[object], bool]] = {
    **dict.fromkeys(("kernel_size", "stride", "dilation", "output_padding"), _is_size),
    **dict.fromkeys(
        ("bias", "affine", "elementwise_affine", "track_running_stats", "ceil_mode", "count_include_pad"),
        lambda v: isinstance(v, bool),
    ),
    **dict.fromkeys(("eps", "p", "alpha", "beta", "k", "negative_slope", "threshold"), _is_number),
    "momentum": lambda v: v is None or _is_number(v),
    "padding": lambda v: v in ("valid", "same") or _is_size(v),
    "output_size": lambda v: _each(lambda n: n is None or _is_int(n), v),
    "normalized_shape": lambda v: _each(_is_int, v),
    "approximate": lambda v: v in ("none", "tanh"),
    "mode": lambda v: v in ("nearest", "bilinear"),
    "align_corners": lambda v: v is None or isinstance(v, bool),
    "scale_factor": lambda v: v is None or (_each(_is_number, v) and (not isinstance(v, tuple) or len(v) == 2)),
    "Upsample.size": lambda v: v is None or _is_size(v),
}


def _allows(kind: str, name: str, value) -> bool:
    return CHECKS.get(f"{kind}.{name}", CHECKS.get(name, _is_int))(value)


def _plain(value):
    """Return an option as JSON reads it back, with tuples for lists."""
    if isinstance(value, (tuple, list)):
        return tuple(_plain(v) for v in value)
    return value.item() if isinstance(value, (np.integer, np.floating)) else value


def describe(model) -> dict | None:
    """Return `model` as plain data, or None when it is not a (nested) Sequential of the layers in LAYERS and BLOCKS."""
    kind, known = type(model).__name__, type(model) is getattr(nn, type(model).__name__, None)
    if isinstance(model, nn.Sequential) and type(model).forward is nn.Sequential.forward:
        kind = "Sequential"
    if kind == "Sequential" or (known and kind in BLOCKS):
        children = [[name, describe(child)] for name, child in model.named_children()]
        # the same layer twice, or a block that was changed
        other = len(children) != len(model) if kind == "Sequential" else {name for name, _ in children} != set(BLOCKS[kind])
        return None if other or any(child is None for _, child in children) else {"type": kind, "layers": children}
    if kind not in LAYERS or not known:
        return None
    options = {name: getattr(model, name) for name in LAYERS[kind].options if name != "bias"}
    if "bias" in LAYERS[kind].options:
        options["bias"] = model.bias is not None
    options = {name: _plain(value) for name, value in options.items()}
    return {"type": kind, "options": options} if all(_allows(kind, name, v) for name, v in options.items()) else None


def build(description, arrays: Mapping[str, np.ndarray], where: str):
    """Return the model that `description` names, with untrained weights of the shapes in `arrays`.

    Raises FileFormatError when the description is not one that `describe` could have written, or does not fit the arrays;
    nothing larger than the arrays is allocated. `where` names the file in the text.
    """
    used: set[str] = set()
    state = rng.get_state()
    try:
        model = _build(description, arrays, "", where, used, [MAX_LAYERS], 0)
    finally:
        rng.set_state(state)  # the layers drew initial weights; loading leaves the generator as it was
    unused = sorted(set(arrays) - used)
    if unused:
        raise FileFormatError(f"load: {where} holds arrays that its model does not use: {', '.join(unused[:5])}")
    return model


def _build(description, arrays, path: str, where: str, used: set[str], budget: list[int], depth: int):
    budget[0] -= 1
    kind = description.get("type") if isinstance(description, dict) else None
    if budget[0] < 0 or depth > MAX_DEPTH:
        raise FileFormatError(f"load: {where} describes a model of more than {MAX_LAYERS} layers or {MAX_DEPTH} levels")
    if kind == "Sequential" or (isinstance(kind, str) and kind in BLOCKS):
        layers = _layers(description.get("layers"), path, where)
        if kind in BLOCKS and sorted(name for name, _ in layers) != sorted(BLOCKS[kind]):
            raise FileFormatError(f"load: {where} describes {path} {kind} with other layers than {', '.join(BLOCKS[kind])}")
        built = {name: _build(child, arrays, f"{path}{name}.", where, used, budget, depth + 1) for name, child in layers}
        return _block(kind, built) if kind in BLOCKS else nn.Sequential(built)
    if not isinstance(kind, str) or kind not in LAYERS:
        raise FileFormatError(f"load: {where} describes {path or 'a model'} as {kind!r}, which is not a known layer")
    options = _options(kind, description.get("options"), path, where)
    if options.get("groups", 1) < 1:
        raise FileFormatError(f"load: {where} describes {path} {kind} with groups={options['groups']}")
    shapes = LAYERS[kind].shapes(options)
    for name, shape in shapes.items():
        found = arrays[path + name].shape if path + name in arrays else None
        if found != shape:
            raise FileFormatError(f"load: {where} describes {path}{name} of shape {shape}, but holds {found}")
    used.update(path + name for name in shapes)
    try:
        return getattr(nn, kind)(**options)
    except (FastcnnError, TypeError, ValueError) as error:
        raise FileFormatError(f"load: {where} describes {path} {kind}: {error}") from None


def _block(kind: str, layers: dict[str, nn.Module]) -> nn.Module:
    """Return a block with these children; its `__init__` would make others."""
    block = getattr(nn, kind).__new__(getattr(nn, kind))
    for name, layer in layers.items():
        setattr(block, name, layer)
    return block


def _layers(value, path: str, where: str) -> list[tuple[str, object]]:
    rows: list = value if isinstance(value, list) else [None]
    names = [row[0] for row in rows if isinstance(row, list) and len(row) == 2 and isinstance(row[0], str)]
    if len(names) != len(rows) or len(set(names)) != len(names) or not all(_is_name(name) for name in names):
        raise FileFormatError(f"load: {where} describes the layers of {path or 'the model'} in a way that makes no sense")
    return [(name, child) for name, child in rows]


def _is_name(name: str) -> bool:
    return name != "" and "." not in name and not hasattr(nn.Sequential, name)


def _options(kind: str, options, path: str, where: str) -> dict:
    if not isinstance(options, dict) or set(options) != set(LAYERS[kind].options):
        raise FileFormatError(f"load: {where} describes {path} {kind} with other options than {', '.join(LAYERS[kind].options)}")
    options = {name: _plain(value) for name, value in options.items()}
    for name, value in options.items():
        if not _allows(kind, name, value):
            raise FileFormatError(f"load: {where} describes {path} {kind} with {name}={value!r}")
    return options
