"""nn.state: a module's parameters and buffers by name, out and in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from ..autograd import Tensor, as_array
from ..errors import FastcnnError, StateError
from .parameter import Parameter


class IncompatibleKeys(NamedTuple):
    """Result of `load_state_dict`: keys the module needs and did not get, keys it does not know."""

    missing_keys: list[str]
    unexpected_keys: list[str]


def entries(module, prefix: str = "") -> Iterator[tuple[str, Tensor]]:
    """Yield (path, tensor) of all that is saved: a module's parameters, then its buffers, then the same of its submodules.

    A shared module appears under each of its names, as in PyTorch.
    """
    saved = [name for name, kept in (module._buffers or {}).items() if kept and getattr(module, name) is not None]
    for name, value in module.__dict__.items():
        if isinstance(value, Parameter) and name not in saved:
            yield prefix + name, value
    for name in saved:
        yield prefix + name, getattr(module, name)
    for name, value in module.__dict__.items():
        if hasattr(value, "named_modules"):
            yield from entries(value, f"{prefix}{name}.")


def state_dict(module, prefix: str = "") -> dict[str, Tensor]:
    """See `Module.state_dict`."""
    return {path: tensor.detach() for path, tensor in entries(module, prefix)}


def load_state_dict(module, values, strict: bool) -> IncompatibleKeys:
    """See `Module.load_state_dict`."""
    own = dict(entries(module))
    missing = [key for key in own if key not in values]
    unexpected = [key for key in values if key not in own]
    problems = []
    if strict and missing:
        problems.append(f"missing keys: {', '.join(missing)}")
    if strict and unexpected:
        problems.append(f"unexpected keys: {', '.join(map(str, unexpected))}")
    arrays = {}
    for key in own:
        if key in values:
            try:
                arrays[key] = values[key].data if isinstance(values[key], Tensor) else as_array(values[key])
            except FastcnnError as error:
                problems.append(f"{key}: {error}")
                continue
            if arrays[key].shape != own[key].shape:
                problems.append(f"{key}: shape {arrays[key].shape} does not fit {own[key].shape}")
            elif not np.can_cast(arrays[key].dtype, own[key].dtype, "same_kind"):
                problems.append(f"{key}: {arrays[key].dtype} does not fit {own[key].dtype}")
    if problems:
        raise StateError(f"load_state_dict: {type(module).__name__}: " + "; ".join(problems))
    for key, array in arrays.items():
        own[key].data[...] = array
        own[key].version += 1
    return IncompatibleKeys(missing, unexpected)
