"""io.structure: a chain of known layers as plain data, and back; a whitelist, no code is run."""

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


LAYERS: dict[str, Layer] = {
    "AdaptiveAvgPool2d": Layer(("output_size",)),
    "AdaptiveMaxPool2d": Layer(("output_size",)),
    "AvgPool2d": Layer(("kernel_size", "stride", "padding", "ceil_mode", "count_include_pad")),
    **dict.fromkeys(
        ("BatchNorm1d", "BatchNorm2d"), Layer(("num_features", "eps", "momentum", "affine", "track_running_stats"), _batch_norm)
    ),
    "Conv2d": Layer(("in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "groups", "bias"), _conv2d),
    "Dropout": Layer(("p",)),
    "Flatten": Layer(("start_dim", "end_dim")),
    "Identity": Layer(),
    "Linear": Layer(("in_features", "out_features", "bias"), _linear),
    "MaxPool2d": Layer(("kernel_size", "stride", "padding", "dilation", "ceil_mode")),
    "ReLU": Layer(),
    "ReLU6": Layer(),
}


def _is_int(value) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value) -> bool:
    return _is_int(value) or (isinstance(value, float) and isfinite(value))


def _is_size(value) -> bool:
    return _is_int(value) or (isinstance(value, tuple) and len(value) in (2, 4) and all(map(_is_int, value)))


# What an option may be; those not named are ints.
CHECKS: dict[str, Callable[[object], bool]] = {
    **dict.fromkeys(("kernel_size", "stride", "dilation"), _is_size),
    **dict.fromkeys(("bias", "affine", "track_running_stats", "ceil_mode", "count_include_pad"), lambda v: isinstance(v, bool)),
    **dict.fromkeys(("eps", "p"), _is_number),
    "momentum": lambda v: v is None or _is_number(v),
    "padding": lambda v: v in ("valid", "same") or _is_size(v),
    "output_size": lambda v: all(n is None or _is_int(n) for n in (v if isinstance(v, tuple) else (v,))),
}


def _plain(value):
    """Return an option as JSON reads it back, with tuples for lists."""
    if isinstance(value, (tuple, list)):
        return tuple(_plain(v) for v in value)
    return value.item() if isinstance(value, (np.integer, np.floating)) else value


def describe(model) -> dict | None:
    """Return `model` as plain data, or None when it is not a (nested) Sequential of the layers in LAYERS."""
    if isinstance(model, nn.Sequential) and type(model).forward is nn.Sequential.forward:
        children = [[name, describe(child)] for name, child in model.named_children()]
        repeated = len(children) != len(model)  # the same layer twice
        return None if repeated or any(child is None for _, child in children) else {"type": "Sequential", "layers": children}
    kind = type(model).__name__
    if kind not in LAYERS or type(model) is not getattr(nn, kind, None):
        return None
    options = {name: getattr(model, name) for name in LAYERS[kind].options if name != "bias"}
    if "bias" in LAYERS[kind].options:
        options["bias"] = model.bias is not None
    options = {name: _plain(value) for name, value in options.items()}
    return {"type": kind, "options": options} if all(CHECKS.get(name, _is_int)(v) for name, v in options.items()) else None


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
    if kind == "Sequential":
        layers = _layers(description.get("layers"), path, where)
        built = {name: _build(child, arrays, f"{path}{name}.", where, used, budget, depth + 1) for name, child in layers}
        return nn.Sequential(built)
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
        if not CHECKS.get(name, _is_int)(value):
            raise FileFormatError(f"load: {where} describes {path} {kind} with {name}={value!r}")
    return options
