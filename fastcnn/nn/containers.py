"""nn.containers: modules in a row, or in a list."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import zip_longest

from ..errors import DtypeError
from .fusion import fuses, norm_activation, unseen
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
    """Modules applied one after the other; a ReLU or ReLU6 after a BatchNorm2d runs in the same pass over memory.

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
        return _run(list(self), x)

    def plus(self, x, residual):
        """Return self(x) + residual; a BatchNorm2d at the end takes the sum into its own pass."""
        modules = list(self)
        if not (modules and unseen(self) and fuses(modules[-1])):
            return self(x) + residual
        return norm_activation(_run(modules[:-1], x), modules[-1], residual=residual)


def _run(modules: list[Module], x):
    fused = None
    for module, after in zip_longest(modules, modules[1:]):
        if module is fused:
            continue
        if after is not None and fuses(module, after):
            fused = after
            x = norm_activation(x, module, after)
        else:
            x = module(x)
    return x


class ModuleList(_Numbered):
    """A list of modules whose parameters belong to the module that holds it; it has no forward."""

    def __init__(self, modules: Iterable[Module] = ()):
        self.extend(modules)
