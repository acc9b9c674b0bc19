"""optim.fused: optimizers whose step is one compiled call over all parameters (`kernels.update`)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy import ndarray

from ..autograd import Tensor
from ..autograd.mode import mode
from ..kernels import entry
from ..kernels.update import Update
from ..threads import get_num_threads
from .optimizer import Optimizer


class Fused(Optimizer):
    """An optimizer with a rule in `kernels.update`.

    A subclass names its `rule`, the states of a parameter (`_states`) and the options that the rule reads (`_options`). The
    table of arrays is kept from step to step; a parameter is bound again when its array, its state or its group changed.
    """

    rule = ""
    _table: Update
    _layout: tuple[tuple[int, tuple[str | None, ...]], ...] = ()  # of the table: size and names of the states of each group
    product = False  # state["mu_product"] is NAdam's product of momenta
    counted = False  # state["step"] is the number of steps; otherwise only the first step differs

    def _states(self, options: dict) -> tuple[str | None, ...]:
        """Return the names of the states in the order of the rule's arguments; None for one that the options do without."""
        raise NotImplementedError

    def _options(self, options: dict) -> dict:
        """Return the keywords of `Update.set_options` for a group."""
        raise NotImplementedError

    def _new_state(self, name: str, param: ndarray, options: dict) -> ndarray:
        """Return a state before the first step, in the memory order of the parameter."""
        return np.zeros_like(param)

    def _apply(self) -> None:
        groups = self.param_groups
        params = [p for group in groups for p in group["params"]]
        arrays = [p.data for p in params]
        gradients = [None if p.grad is None else p.grad.data for p in params]
        table = self._aim()
        threads = get_num_threads()
        if mode.witness is not None:
            for p in params:
                mode.witness.reads_gradient(p)
        entry.call(self._aim)  # a replay reads the options as they are then
        stale = table.step(arrays, gradients, list(map(self.state.get, params)), threads)
        if stale:
            for i in stale:
                self._bind(table, i, params[i])
            table.step(arrays, gradients, list(map(self.state.get, params)), threads)
        for p in params:
            if p.grad is not None:
                p.version += 1
        if entry.current() is not None:
            entry.guard(self._unchanged([p for p in params if p.grad is not None]))

    def _unchanged(self, params: list[Tensor]) -> Callable[[], str | None]:
        """Return what says whether groups and states are still those of now."""
        table, layout = self._table, self._layout
        states = [(self.state[p], name, array) for p in params for name, array in self.state[p].items()]
        dicts = [(p, self.state[p]) for p in params]

        def guard() -> str | None:
            groups = tuple((len(group["params"]), self._states(group)) for group in self.param_groups)
            if self._table is not table or groups != layout:
                return "the optimizer's groups changed"
            if any(self.state.get(p) is not d for p, d in dicts) or any(d.get(name) is not a for d, name, a in states):
                return "the optimizer's states changed"
            return None

        return guard

    def _aim(self) -> Update:
        """Return the table of the groups as they are now, with their options."""
        layout = tuple((len(group["params"]), self._states(group)) for group in self.param_groups)
        if layout != self._layout:
            self._table = Update(self.rule, sum(count for count, _ in layout), len(layout))
            self._layout = layout  # last: when memory runs out above, the next step makes the table
        for i, group in enumerate(self.param_groups):
            self._table.set_options(i, **self._options(group))
        return self._table

    def _bind(self, table: Update, position: int, p: Tensor) -> None:
        """Check a parameter, make the states that it lacks, and enter it into the table."""
        self._check_shapes(p)
        group = int(np.searchsorted(np.cumsum([count for count, _ in self._layout]), position, side="right"))
        names, options = self._layout[group][1], self.param_groups[group]
        state = self.state.setdefault(p, {})
        missing = [name for name in names if name is not None and name not in state]
        for name in missing:
            state[name] = self._new_state(name, p.data, options)
        if self.counted:
            count = np.array(int(state.get("step", 0)), np.int64)
            state["step"] = count
        else:
            count = np.array(0 if missing else 1, np.int64)
        product = None
        if self.product:
            product = state["mu_product"] = np.array(float(state.get("mu_product", 1.0)))
        plain = bool(options.get("exclude_1d")) and p.ndim <= 1
        table.bind(position, group, p.data, state, names, count, product, plain)

    def __getstate__(self) -> dict:
        return {**self.__dict__, "_layout": (), "_table": None}  # a copy binds its own arrays
