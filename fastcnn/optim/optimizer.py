"""optim.optimizer: the base of optimizers: parameter groups, the loop over parameters, the state dict."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy import ndarray

from ..autograd import Tensor
from ..errors import ArgumentError, DtypeError, StateError
from ..kernels import elementwise, entry

SCALARS = ("step", "mu_product")  # states that are one number for a parameter


class Optimizer:
    """Updates parameters in place from their gradients.

    A subclass defines `_update(param, grad, state, options)`: all its arithmetic, on arrays. `state` is a dict of the
    parameter's own, empty at first; `options` is its group. (Those of fastcnn define a rule instead, see `fused`.)

    Parameters
    ----------
    params : iterable of Tensor, or of dict
        Leaves that require a gradient. Dicts are groups: {"params": [...], "lr": ...}, what they leave out is `defaults`.
    defaults : dict
        Options of every group.

    Attributes
    ----------
    param_groups : list of dict
        Read at each step; schedulers write "lr" into it.
    state : dict
        Tensor -> state.
    """

    def __init__(self, params: Iterable, defaults: dict):
        self.defaults = defaults
        self.param_groups: list[dict] = []
        self.state: dict[Tensor, dict] = {}
        if isinstance(params, (Tensor, ndarray)):
            raise DtypeError(f"{type(self).__name__}: params must be an iterable of tensors or of groups, got one tensor")
        given = list(params)
        if not given:
            raise ArgumentError(f"{type(self).__name__}: params is empty")
        for group in given if isinstance(given[0], dict) else [{"params": given}]:
            self.add_param_group(group)

    def add_param_group(self, group: dict) -> None:
        """Add a group: a dict with "params" and the options that differ from the defaults."""
        name = type(self).__name__
        unknown = set(group) - set(self.defaults) - {"params", "initial_lr"}
        if unknown or "params" not in group:
            raise ArgumentError(
                f"{name}: a group has 'params' and some of {', '.join(self.defaults)}, got {', '.join(map(str, group))}"
            )
        params = [group["params"]] if isinstance(group["params"], Tensor) else list(group["params"])
        held = {p for other in self.param_groups for p in other["params"]}
        for p in params:
            if not isinstance(p, Tensor):
                raise DtypeError(f"{name}: params must be tensors, got {type(p).__name__}")
            if p.node is not None:
                raise ArgumentError(f"{name}: only leaf tensors can be optimized (shape={p.shape} is a recorded result)")
            if p in held:
                raise ArgumentError(f"{name}: a parameter of shape {p.shape} appears twice")
            held.add(p)
        group = {**self.defaults, **group, "params": params}
        self.check(group)
        self.param_groups.append(group)

    def check(self, options: dict) -> None:
        """Raise ArgumentError for options out of range; subclasses add theirs."""
        for key in ("lr", "weight_decay", "eps", "momentum"):
            value = options.get(key, 0.0)
            if not isinstance(value, (int, float, np.number)) or not 0.0 <= value < float("inf"):
                raise ArgumentError(f"{type(self).__name__}: {key} must be a finite number of at least 0, got {value!r}")

    def _update(self, param: ndarray, grad: ndarray, state: dict, options: dict) -> None:
        """Change `param` and `state` in place; `grad` stays as it is."""
        raise NotImplementedError

    def step(self, closure=None):
        """Update every parameter that has a gradient; `closure`, if given, computes and returns the loss first."""
        loss = None if closure is None else closure()
        self._apply()
        return loss

    def _apply(self) -> None:
        """Update every parameter that has a gradient, one after the other."""
        entry.refuse(f"{type(self).__name__}, whose update is written in NumPy")
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    self._check_shapes(p)
                    self._update(p.data, p.grad.data, self.state.setdefault(p, {}), group)
                    p.version += 1

    def _check_shapes(self, p: Tensor) -> None:
        """Raise StateError where the gradient or the states of p have another shape than p."""
        name, grad = type(self).__name__, p.grad
        if grad is not None and (grad.data.shape != p.data.shape or grad.data.dtype != p.data.dtype):
            raise StateError(
                f"{name}: gradient {grad.data.shape} {grad.data.dtype} does not fit the parameter {p.data.shape} {p.data.dtype}"
            )
        for key, value in self.state.get(p, {}).items():
            if isinstance(value, ndarray) and key not in SCALARS and value.shape != p.data.shape:
                raise StateError(f"{name}: a parameter changed its shape to {p.data.shape}; make a new optimizer")

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Drop the gradients; with `set_to_none=False` fill them with zeros."""
        for group in self.param_groups:
            for p in group["params"]:
                if set_to_none or p.grad is None:
                    p.grad = None
                else:
                    p.grad = Tensor(elementwise.full_like(p.grad.data, 0.0))

    def state_dict(self) -> dict:
        """Return {"state": {number: {name: ndarray or number}}, "param_groups": [...]}; arrays are copies.

        Parameters are numbered in the order of the groups.
        """
        number = {p: i for i, p in enumerate(p for group in self.param_groups for p in group["params"])}
        groups = [{**group, "params": [number[p] for p in group["params"]]} for group in self.param_groups]
        state = {number[p]: {key: _saved(key, value) for key, value in s.items()} for p, s in self.state.items()}
        return {"state": state, "param_groups": groups}

    def load_state_dict(self, values: dict) -> None:
        """Restore what `state_dict` returned; raises StateError if the groups or shapes are others."""
        name = type(self).__name__
        try:
            groups, state = values["param_groups"], {int(k): v for k, v in values["state"].items()}
            sizes = [len(group["params"]) for group in groups]
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise StateError(f"{name}: not a state dict of an optimizer: {error!r}") from None
        if sizes != [len(group["params"]) for group in self.param_groups]:
            raise StateError(f"{name}: groups of {sizes} parameters do not fit {[len(g['params']) for g in self.param_groups]}")
        params = [p for group in self.param_groups for p in group["params"]]
        restored = {}
        for i, p in enumerate(params):
            entry = {}
            for key, value in state.get(i, {}).items():
                if key in SCALARS or not isinstance(value, (ndarray, Tensor)):
                    entry[key] = _saved(key, value)
                    continue
                if value.shape != p.shape:
                    raise StateError(f"{name}: {key} of parameter {i} has shape {value.shape}, the parameter {p.shape}")
                entry[key] = np.empty_like(p.data)  # the parameter's memory order
                entry[key][...] = value.data if isinstance(value, Tensor) else value
            if entry:
                restored[p] = entry
        for own, group in zip(self.param_groups, groups, strict=True):
            own.update({key: value for key, value in group.items() if key != "params"})
        self.state = restored

    def __repr__(self) -> str:
        lines = []
        for i, group in enumerate(self.param_groups):
            options = ", ".join(f"{key}={value}" for key, value in group.items() if key != "params")
            lines.append(f"  group {i}: {len(group['params'])} parameters, {options}")
        return f"{type(self).__name__}(\n" + "\n".join(lines) + "\n)"


def _saved(key: str, value):
    """Return a state for a state dict: a number, or a copy of an array."""
    if key in SCALARS:
        return value.item() if hasattr(value, "item") else value
    return np.array(value, order="K") if isinstance(value, ndarray) else value
