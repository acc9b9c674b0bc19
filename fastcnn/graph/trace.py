"""graph.trace: run a model once and read the tape."""

from __future__ import annotations

from math import prod

from ..autograd import Node, Tensor, enable_grad
from ..errors import DtypeError, StateError
from .evaluation import evaluation
from .graph import EXAMPLE, Graph, Op

# What the operands of an op are called, where it takes parameters.
ROLES = dict.fromkeys(("batch_norm", "conv2d", "conv_transpose2d", "group_norm", "layer_norm", "linear"), ("x", "weight", "bias"))
# Multiply-adds of an op from its tape node.
MACS = {
    "conv2d": lambda node: node.case.macs,
    "conv_transpose2d": lambda node: node.case.macs,
    "linear": lambda node: prod(node.shape) * node.saved[1].shape[1],
    "matmul": lambda node: prod(node.shape) * node.saved[1].shape[0],
}


def trace(model, example) -> Graph:
    """Return the graph of `model` for inputs shaped as `example`.

    Parameters
    ----------
    model : Module
        Is run once, in evaluation mode; its parameters, buffers and modes are as before afterwards.
    example : Tensor or array (batch, channels, height, width)

    Raises
    ------
    DtypeError
        When the model does not return one Tensor.
    StateError
        When the result does not depend on the example through recorded operations.

    Examples
    --------
    >>> import numpy as np
    >>> from fastcnn import graph, nn
    >>> model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU())
    >>> [(op.op, op.shape, op.macs) for op in graph.trace(model, np.zeros((1, 1, 8, 8), "f4")).ops]
    [('conv2d', (1, 4, 6, 6), 1296), ('relu', (1, 4, 6, 6), 0)]
    """
    x = Tensor(example.data if isinstance(example, Tensor) else example, requires_grad=True)
    with enable_grad(), evaluation(model):
        y = model(x)
    if not isinstance(y, Tensor):
        raise DtypeError(f"trace: the model must return one Tensor, got {type(y).__name__}")
    nodes = _nodes(y)
    numbers = {node: i for i, node in enumerate(nodes)}
    names = {id(tensor): name for name, tensor in (*model.named_parameters(), *model.named_buffers())}
    ops = tuple(_op(node, numbers, names, x) for node in nodes)
    if not any(EXAMPLE in op.inputs for op in ops):
        raise StateError("trace: the result does not depend on the example through recorded operations")
    return Graph(ops, x.shape, {name: tensor.shape for name, tensor in model.named_parameters()})


def _nodes(y: Tensor) -> list[Node]:
    """Return the nodes that `y` depends on in the order of their creation, which is a topological order."""
    found = set() if y.node is None else {y.node}
    stack = list(found)
    while stack:
        for edge in stack.pop().inputs:
            if isinstance(edge, Node) and edge not in found:
                found.add(edge)
                stack.append(edge)
    return sorted(found, key=lambda node: node.number)


def _op(node: Node, numbers: dict[Node, int], names: dict[int, str], x: Tensor) -> Op:
    roles = ROLES.get(node.op, ())
    inputs: list[int | None] = []
    shapes, tensors = [], {}
    for i, edge in enumerate(node.inputs):
        if isinstance(edge, Node) or edge is x:
            inputs.append(numbers[edge] if isinstance(edge, Node) else EXAMPLE)
            shapes.append(edge.shape)
            continue
        inputs.append(None)
        if edge is not None and id(edge) in names:
            tensors[roles[i] if i < len(roles) else f"operand {i}"] = names[id(edge)]
    for role in ("running_mean", "running_var"):  # batch_norm keeps them among its options
        tensor = getattr(node.case, role, None)
        if tensor is not None and id(tensor) in names:
            tensors[role] = names[id(tensor)]
    macs = MACS[node.op](node) if node.op in MACS else 0
    return Op(numbers[node], node.op, tuple(inputs), tensors, node.case, tuple(shapes), node.shape, macs)
