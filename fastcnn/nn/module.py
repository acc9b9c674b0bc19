"""nn.module: the base of layers and networks: finds parameters, buffers and submodules among its attributes."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from ..autograd import Tensor, checked_dtype
from ..autograd.hook import RemovableHandle
from ..autograd.mode import mode
from ..errors import DtypeError, StateError
from . import state
from .parameter import Parameter


class Module:
    """A layer or a network. Subclasses set attributes in `__init__` and define `forward`.

    A module's parameters are its attributes that are `Parameter`s, its submodules those that are `Module`s, its buffers
    (state that is saved but not trained) those named by `register_buffer`. They are ordinary attributes: reading one costs
    what reading any attribute costs.

    Attributes
    ----------
    training : bool
        Set by `train()` and `eval()`; read by dropout and batch normalisation.

    Examples
    --------
    >>> from fastcnn import nn
    >>> class Net(nn.Module):
    ...     def __init__(self):
    ...         self.fc = nn.Linear(4, 2)
    ...     def forward(self, x):
    ...         return self.fc(x).relu()
    >>> [name for name, _ in Net().named_parameters()]
    ['fc.weight', 'fc.bias']
    """

    training = True
    _buffers: dict[str, bool] | None = None  # name -> whether it is saved
    _forward_hooks: list | None = None
    _forward_pre_hooks: list | None = None

    def forward(self, *inputs):
        raise NotImplementedError(f"{type(self).__name__} defines no forward()")

    def __call__(self, *inputs, **options):
        if mode.witness is not None:
            mode.witness.calls(self)
        if self._forward_pre_hooks:
            for hook in tuple(self._forward_pre_hooks):
                changed = hook(self, inputs)
                if changed is None:
                    self._only_looked()
                else:
                    inputs = changed if isinstance(changed, tuple) else (changed,)
        output = self.forward(*inputs, **options)
        if self._forward_hooks:
            for hook in tuple(self._forward_hooks):
                changed = hook(self, inputs, output)
                if changed is None:
                    self._only_looked()
                else:
                    output = changed
        return output

    def _only_looked(self) -> None:
        """A hook returned nothing: what it did is not among the operations of a step that is being captured."""
        if mode.witness is not None:
            mode.witness.refuse(f"a hook of {type(self).__name__} that returns nothing: a replay would not call it")

    def __setattr__(self, name: str, value) -> None:
        held = self.__dict__.get(name)
        if isinstance(held, Parameter) and not (value is None or isinstance(value, Parameter)):
            raise DtypeError(f"{type(self).__name__}.{name} is a Parameter and cannot become a {type(value).__name__}")
        object.__setattr__(self, name, value)

    def register_parameter(self, name: str, parameter: Parameter | None) -> None:
        """Set `parameter` as the attribute `name`."""
        if not (parameter is None or isinstance(parameter, Parameter)):
            raise DtypeError(f"register_parameter: {name} must be a Parameter or None, got {type(parameter).__name__}")
        setattr(self, name, parameter)

    def register_buffer(self, name: str, tensor, persistent: bool = True) -> None:
        """Set `tensor` as the attribute `name`, saved with the state if `persistent`, never trained."""
        if self._buffers is None:
            self._buffers = {}
        self._buffers[name] = persistent
        setattr(self, name, tensor if tensor is None or isinstance(tensor, Tensor) else Tensor(tensor))

    def add_module(self, name: str, module: Module | None) -> None:
        """Set `module` as the attribute `name`."""
        setattr(self, name, module)

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """Yield (name, module) of the direct submodules, each once."""
        seen = set()
        for name, value in tuple(self.__dict__.items()):
            if isinstance(value, Module) and value not in seen:
                seen.add(value)
                yield name, value

    def children(self) -> Iterator[Module]:
        """Yield the direct submodules."""
        return (module for _, module in self.named_children())

    def named_modules(self, prefix: str = "", _seen: set | None = None) -> Iterator[tuple[str, Module]]:
        """Yield (path, module) of this module and all below it, each once."""
        seen = set() if _seen is None else _seen
        if self not in seen:
            seen.add(self)
            yield prefix, self
            for name, module in self.named_children():
                yield from module.named_modules(f"{prefix}.{name}" if prefix else name, seen)

    def modules(self) -> Iterator[Module]:
        """Yield this module and all below it."""
        return (module for _, module in self.named_modules())

    def get_submodule(self, path: str) -> Module:
        """Return the module at a dotted path, this one for ""."""
        module = self
        for name in path.split(".") if path else ():
            below = module.__dict__.get(name)
            if not isinstance(below, Module):
                raise StateError(f"get_submodule: {type(self).__name__} has no submodule {path!r}")
            module = below
        return module

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """Yield (path, parameter) of this module and all below it, each once."""
        seen = set()
        for path, module in self.named_modules():
            for name, value in tuple(module.__dict__.items()):
                if isinstance(value, Parameter) and value not in seen:
                    seen.add(value)
                    yield f"{path}.{name}" if path else name, value

    def parameters(self) -> Iterator[Parameter]:
        """Yield the parameters of this module and all below it."""
        return (parameter for _, parameter in self.named_parameters())

    def named_buffers(self) -> Iterator[tuple[str, Tensor]]:
        """Yield (path, buffer) of this module and all below it."""
        for path, module in self.named_modules():
            for name in module._buffers or ():
                if getattr(module, name) is not None:
                    yield f"{path}.{name}" if path else name, getattr(module, name)

    def buffers(self) -> Iterator[Tensor]:
        """Yield the buffers of this module and all below it."""
        return (buffer for _, buffer in self.named_buffers())

    def state_dict(self, prefix: str = "") -> dict[str, Tensor]:
        """Return parameters and saved buffers by path, in PyTorch's order and names; the tensors share memory with the module."""
        return state.state_dict(self, prefix)

    def load_state_dict(self, values, strict: bool = True):
        """Copy `values` (path -> Tensor or array) into the parameters and buffers, in place.

        Raises StateError, before anything is changed, if a shape differs or, when `strict`, a key is missing or unexpected.
        Returns the pair (missing_keys, unexpected_keys).
        """
        return state.load_state_dict(self, values, strict)

    def train(self, mode: bool = True) -> Module:
        """Put this module and all below it into training (or evaluation) mode."""
        for module in self.modules():
            module.training = bool(mode)
        return self

    def eval(self) -> Module:
        """Put this module and all below it into evaluation mode."""
        return self.train(False)

    def apply(self, function: Callable[[Module], None]) -> Module:
        """Call `function` with each submodule, deepest first, then with this module."""
        for child in self.children():
            child.apply(function)
        function(self)
        return self

    def zero_grad(self) -> None:
        """Drop the gradients of all parameters."""
        for parameter in self.parameters():
            parameter.grad = None

    def requires_grad_(self, value: bool = True) -> Module:
        """Set `requires_grad` of all parameters; False freezes the module."""
        for parameter in self.parameters():
            parameter.requires_grad = value
        return self

    def to(self, dtype) -> Module:
        """Convert parameters and floating-point buffers to `dtype` in place; gradients are dropped."""
        dtype = checked_dtype(dtype)
        for tensor in (*self.parameters(), *self.buffers()):
            if tensor.data.dtype.kind == "f" and tensor.data.dtype != dtype:
                tensor.data = np.array(tensor.data, dtype=dtype, order="K")
                tensor.grad = None
                tensor.version += 1
        return self

    def double(self) -> Module:
        """Convert to float64."""
        return self.to(np.float64)

    def float(self) -> Module:
        """Convert to float32."""
        return self.to(np.float32)

    def register_forward_hook(self, hook: Callable) -> RemovableHandle:
        """Call hook(module, inputs, output) after each forward; a result that is not None replaces the output."""
        if self._forward_hooks is None:
            self._forward_hooks = []
        self._forward_hooks.append(hook)
        return RemovableHandle(self._forward_hooks, hook)

    def register_forward_pre_hook(self, hook: Callable) -> RemovableHandle:
        """Call hook(module, inputs) before each forward; a result that is not None replaces the inputs."""
        if self._forward_pre_hooks is None:
            self._forward_pre_hooks = []
        self._forward_pre_hooks.append(hook)
        return RemovableHandle(self._forward_pre_hooks, hook)

    def extra_repr(self) -> str:
        """The options shown in the module's line of `repr`."""
        return ""

    def __repr__(self) -> str:
        lines = []
        for name, value in self.__dict__.items():
            if isinstance(value, Module):
                lines.append(f"  ({name}): " + repr(value).replace("\n", "\n  "))
        head = f"{type(self).__name__}({self.extra_repr()}"
        return head + ("\n" + "\n".join(lines) + "\n)" if lines else ")")
