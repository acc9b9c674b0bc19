"""train.watch: what a step that is being captured depends on besides its arguments: modules, leaves, gradients; and what it does
that cannot be replayed."""

from __future__ import annotations

from collections.abc import Iterable

from ..autograd import Tensor
from ..autograd.tape import next_number
from ..autograd.witness import Witness

# Operations all of whose arithmetic goes through kernels.entry, forward and backward. Others run op by op.
RECORDED = frozenset(
    {
        "abs",
        "adaptive_avg_pool2d",
        "adaptive_max_pool2d",
        "add",
        "avg_pool2d",
        "batch_norm",
        "binary_cross_entropy_with_logits",
        "cast",
        "checkpoint",
        "clamp",
        "concat",
        "conv2d",
        "conv_transpose2d",
        "cross_entropy",
        "div",
        "dropout",
        "dropout2d",
        "elu",
        "exp",
        "flatten",
        "gelu",
        "getitem",
        "group_norm",
        "hardsigmoid",
        "hardswish",
        "huber_loss",
        "interpolate",
        "kl_div",
        "l1_loss",
        "layer_norm",
        "leaky_relu",
        "linear",
        "log",
        "local_response_norm",
        "log_softmax",
        "matmul",
        "max",
        "max_pool2d",
        "maximum",
        "mean",
        "min",
        "minimum",
        "mse_loss",
        "mul",
        "neg",
        "nll_loss",
        "pad",
        "permute",
        "pow",
        "relu",
        "relu6",
        "reshape",
        "sigmoid",
        "silu",
        "smooth_l1_loss",
        "soft_cross_entropy",
        "softmax",
        "softplus",
        "sqrt",
        "sub",
        "sum",
        "tanh",
        "where",
    }
)


class Watch(Witness):
    """Notes what one run of a step meets.

    Parameters
    ----------
    earlier : Watch, optional
        Of a run before: its leaves are known from the start, and so which gradients there are.

    Attributes
    ----------
    refused : str or None
        The first thing that cannot be replayed.
    """

    def __init__(self, earlier: Watch | None = None):
        self.first = next_number()
        self.refused: str | None = None
        self.modules: dict[int, tuple] = {}  # id -> (module, its attributes at the call, its hooks)
        self.leaves: dict[int, Tensor] = {} if earlier is None else dict(earlier.leaves)
        self.hooks: dict[int, tuple] = {}  # id -> the hooks of a leaf when it was first met
        self.before = {key: leaf.grad for key, leaf in self.leaves.items()}
        self.gradients: dict[int, tuple] = {}  # id -> (leaf, the array of its gradient when it was first needed, or None)
        known = [] if earlier is None else [*earlier.buffers(), *self.leaves.values()]
        self.versions = {id(tensor): (tensor, tensor.version) for tensor in known}

    def saw(self, op: str, inputs: tuple) -> None:
        if op not in RECORDED:
            self.refuse(f"{op}, which is not computed by kernels alone")
        for t in inputs:
            if t is not None and t.node is None:
                self.leaves[id(t)] = t
                self.hooks.setdefault(id(t), tuple(t._hooks or ()))

    def accumulates(self, leaf: Tensor) -> None:
        self.reads_gradient(leaf)

    def changes(self, tensor: Tensor) -> None:
        self.leaves[id(tensor)] = tensor
        self.hooks.setdefault(id(tensor), tuple(tensor._hooks or ()))
        self.versions.setdefault(id(tensor), (tensor, tensor.version))

    def reads_gradient(self, leaf: Tensor) -> None:
        self.leaves[id(leaf)] = leaf
        self.hooks.setdefault(id(leaf), tuple(leaf._hooks or ()))
        if id(leaf) not in self.gradients:
            self.gradients[id(leaf)] = leaf, None if leaf.grad is None else leaf.grad.data

    def calls(self, module) -> None:
        if id(module) not in self.modules:
            for part in module.modules():
                self.modules[id(part)] = part, dict(part.__dict__), _hooks_of(part)

    def refuse(self, what: str) -> None:
        self.refused = self.refused or what

    def strange(self, earlier: Watch, inputs: Iterable[Tensor]) -> str | None:
        """Return what there is to say of leaves with gradients that are arguments, or that the step itself makes."""
        own = {id(t) for t in inputs}
        if any(key in own for key in self.gradients):
            return "an argument that requires a gradient"
        made = next((leaf for key, (leaf, _) in self.gradients.items() if key not in earlier.leaves), None)
        return None if made is None else f"a leaf of shape {made.shape} that the step makes or did not use before"

    def look_again(self) -> None:
        """Take attributes of modules and hooks as they are now: a first call may have set some."""
        self.modules = {key: (part, dict(part.__dict__), _hooks_of(part)) for key, (part, *_) in self.modules.items()}
        self.hooks = {key: tuple(leaf._hooks or ()) for key, leaf in self.leaves.items()}

    def buffers(self) -> list[Tensor]:
        """The buffers of all modules."""
        return [
            part.__dict__[name]
            for part, *_ in self.modules.values()
            for name in part._buffers or ()
            if part.__dict__.get(name) is not None
        ]


class Guard:
    """What a run of a step met, to be compared with what a later call would meet.

    Parameters
    ----------
    watch, earlier : Watch
        Of the run, and of one before: a leaf that only one of them met was made by the step.
    inputs : iterable of Tensor
        The arguments, which may differ.
    """

    def __init__(self, watch: Watch, earlier: Watch, inputs: Iterable[Tensor]):
        own = {id(t) for t in inputs}
        self.modules = [(part, part.__dict__, *seen) for part, *seen in watch.modules.values()]
        self.leaves = [
            (t, t.data, t._requires_grad, watch.hooks.get(key, ()))
            for key, t in watch.leaves.items()
            if key in earlier.leaves and key not in own
        ]
        # A gradient that the step dropped before it made a new one does not matter.
        self.gradients = [
            (leaf, found)
            for key, (leaf, found) in watch.gradients.items()
            if key in earlier.leaves and (found is not None or watch.before.get(key) is None)
        ]

    def moved(self) -> str | None:
        """Return the name of a module whose attributes changed during the run, and of the attribute; or what got a hook."""
        for part, now, then, hooks in self.modules:
            changed = _differing(now, then)
            if changed is not None:
                return f"{type(part).__name__}.{changed}, which changes in each step"
            if _hooks_of(part) != hooks:
                return f"a hook of {type(part).__name__} that the step itself registers"
        for t, data, _, hooks in self.leaves:
            if tuple(t._hooks or ()) != hooks:
                return f"a hook on the gradient of a tensor of shape {data.shape} that the step itself registers"
        return None

    def broken(self) -> str | None:
        """Return what is not as it was, or None."""
        for part, now, then, hooks in self.modules:
            if ((part._forward_hooks or part._forward_pre_hooks or len(hooks) > 1) and _hooks_of(part) != hooks) or (
                _differing(now, then) is not None
            ):
                return f"{type(part).__name__} changed"
        for t, data, wanted, hooks in self.leaves:
            if t.data is not data or t._requires_grad is not wanted or ((t._hooks or hooks) and tuple(t._hooks or ()) != hooks):
                return f"a tensor of shape {data.shape} changed"
        for leaf, found in self.gradients:
            if (None if leaf.grad is None else leaf.grad.data) is not found:
                return f"the gradient of a tensor of shape {leaf.shape} is another"
        return None


def _hooks_of(module) -> tuple:
    return (*(module._forward_pre_hooks or ()), None, *(module._forward_hooks or ()))


def _differing(now: dict, then: dict) -> str | None:
    """Return the name of an attribute that is not the same object or an equal plain value."""
    if len(now) != len(then):
        return next((name for name in now if name not in then), "an attribute")
    for name, value in now.items():
        old = then.get(name, then)
        if value is not old and not (type(value) is type(old) and type(value) in (int, float, str, bool, tuple) and value == old):
            return name
    return None
