"""nn.containers: modules in a row, or in a list."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ..errors import DtypeError
from .fusion import conv_norm, fuses, measures, norm_activation, pooled_first, pools, stored_ceiling, unseen
from .module import Module


class _Numbered(Module):
    """Submodules under the names "0", "1", ... (or given ones), in order."""

    def _insert_last(self, name: str, module: Module) -> None:
        if not isinstance(module, Module):
            raise DtypeError(f"{type(self).__name__}: {name} must be a Module, got {type(module).__name__}")
        if name == "" or "." in name or hasattr(self, name):
            raise DtypeError(f"{type(self).__name__}: {name!r} cannot be the name of a submodule")
        setattr(self, name, module)

    def _names(self) -> list[str]:
        return [name for name, value in self.__dict__.items() if isinstance(value, Module)]

    def _set_all(self, modules: Iterable[Module]) -> None:
        for name in self._names():
            delattr(self, name)
        for number, module in enumerate(modules):
            self._insert_last(str(number), module)

    def __iter__(self) -> Iterator[Module]:
        return iter([value for value in self.__dict__.values() if isinstance(value, Module)])

    def __len__(self) -> int:
        return len(self._names())

    def __getitem__(self, index):
        if isinstance(index, slice):
            part = type(self)()
            for name in self._names()[index]:
                setattr(part, name, getattr(self, name))
            return part
        return getattr(self, self._names()[index])

    def __setitem__(self, index: int, module: Module) -> None:
        if not isinstance(module, Module):
            raise DtypeError(f"{type(self).__name__}: [{index}] must be a Module, got {type(module).__name__}")
        setattr(self, self._names()[index], module)

    def __delitem__(self, index) -> None:
        modules = list(self)
        del modules[index]
        self._set_all(modules)

    def append(self, module: Module):
        """Add `module` at the end and return self."""
        self._insert_last(str(len(self)), module)
        return self

    def extend(self, modules: Iterable[Module]):
        """Add `modules` at the end and return self."""
        for module in modules:
            self.append(module)
        return self

    def insert(self, index: int, module: Module):
        """Put `module` before position `index`, number all anew, and return self."""
        modules = list(self)
        modules.insert(index, module)
        self._set_all(modules)
        return self


class Sequential(_Numbered):
    """Modules applied one after the other.

    A ReLU or ReLU6 after a BatchNorm2d, a Conv2d or a Linear runs in the same pass over memory, and so does a MaxPool2d after
    BatchNorm2d and activation; in training a Conv2d before a BatchNorm2d takes its statistics.
    Before another MaxPool2d it changes places with it, unless a hook looks at one of them: the same values, fewer to compute.

    Parameters
    ----------
    *modules : Module, or one dict name -> Module

    Examples
    --------
    >>> from fastcnn import nn
    >>> net = nn.Sequential(nn.Linear(4, 3), nn.ReLU())
    >>> len(net), list(net.state_dict())
    (2, ['0.weight', '0.bias'])
    """

    def __init__(self, *modules):
        named = modules[0] if len(modules) == 1 and isinstance(modules[0], dict) else {str(i): m for i, m in enumerate(modules)}
        for name, module in named.items():
            self._insert_last(name, module)

    def forward(self, x):
        return _run(pooled_first(list(self)), x)

    def plus(self, x, residual):
        """Return self(x) + residual; a BatchNorm2d at the end takes the sum into its own pass."""
        modules = list(self)
        if not (modules and unseen(self) and fuses(modules[-1])):
            return self(x) + residual
        return _run(modules, x, residual)


def _run(modules: list[Module], x, residual=None):
    """Apply the modules in turn; `residual` is added to the result of the last, a BatchNorm2d."""
    i = 0
    while i < len(modules):
        conv = modules[i] if i + 1 < len(modules) and measures(modules[i], modules[i + 1]) else None
        i += conv is not None
        module, after = modules[i], modules[i + 1] if i + 1 < len(modules) else None
        if conv is None and not fuses(module):
            ceiling = stored_ceiling(module, after)
            x = module(x) if ceiling is None else module(x, ceiling=ceiling)
            i += 1 + (ceiling is not None)
            continue
        activation = after if after is not None and fuses(module, after) else None
        added = residual if after is None else None
        last = modules[i + 2] if activation is not None and i + 2 < len(modules) else None
        pool = last if pools(module, activation, last) else None
        if conv is None:
            x = norm_activation(x, module, activation, added, None, pool)
        else:
            x = conv_norm(x, conv, module, activation, added, pool)
        i += 1 + (activation is not None) + (pool is not None)
    return x


class ModuleList(_Numbered):
    """A list of modules whose parameters belong to the module that holds it; it has no forward."""

    def __init__(self, modules: Iterable[Module] = ()):
        self.extend(modules)
