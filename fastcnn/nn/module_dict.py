"""nn.module_dict: modules by name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from ..errors import ArgumentError, DtypeError
from .module import Module


class ModuleDict(Module):
    """A dict of modules whose parameters belong to the module that holds it; it has no forward.

    Parameters
    ----------
    modules : mapping or iterable of (name, Module), optional
        Names are strings without dots that are not attributes of a module.

    Examples
    --------
    >>> from fastcnn import nn
    >>> heads = nn.ModuleDict({"digit": nn.Linear(8, 10), "colour": nn.Linear(8, 3)})
    >>> list(heads), heads["colour"].out_features
    (['digit', 'colour'], 3)
    """

    def __init__(self, modules=None):
        if modules is not None:
            self.update(modules)

    def _modules(self) -> dict[str, Module]:
        return {name: value for name, value in self.__dict__.items() if isinstance(value, Module)}

    def __getitem__(self, name: str) -> Module:
        return self._modules()[name]

    def __setitem__(self, name: str, module: Module) -> None:
        if not isinstance(module, Module):
            raise DtypeError(f"ModuleDict: {name!r} must be a Module, got {type(module).__name__}")
        known = name in self._modules()
        if not isinstance(name, str) or name == "" or "." in name or (hasattr(self, name) and not known):
            raise ArgumentError(f"ModuleDict: {name!r} cannot be the name of a submodule")
        setattr(self, name, module)

    def __delitem__(self, name: str) -> None:
        self._modules()[name]
        delattr(self, name)

    def __contains__(self, name: object) -> bool:
        return name in self._modules()

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules())

    def __len__(self) -> int:
        return len(self._modules())

    def keys(self) -> Iterable[str]:
        """Return the names."""
        return self._modules().keys()

    def values(self) -> Iterable[Module]:
        """Return the modules."""
        return self._modules().values()

    def items(self) -> Iterable[tuple[str, Module]]:
        """Return the pairs (name, module)."""
        return self._modules().items()

    def update(self, modules) -> None:
        """Set the modules of a mapping or of pairs (name, module)."""
        for name, module in modules.items() if isinstance(modules, (Mapping, ModuleDict)) else modules:
            self[name] = module

    def pop(self, name: str) -> Module:
        """Remove the module `name` and return it."""
        module = self[name]
        del self[name]
        return module

    def clear(self) -> None:
        """Remove all modules."""
        for name in tuple(self):
            del self[name]
