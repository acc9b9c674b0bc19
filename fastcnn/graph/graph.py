"""graph.graph: what is computed from what; plain data without arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

EXAMPLE = -1  # stands for the model's input among an op's inputs


@dataclass(frozen=True)
class Op:
    """One operation.

    Attributes
    ----------
    number : int
        Position in `Graph.ops`; every op comes after its inputs.
    op : str
        Name of the operation, as in `fastcnn.ops`.
    inputs : tuple of int or None
        Per operand: the op that it comes from, EXAMPLE for the model's input, None for a parameter or a constant.
    tensors : mapping of str to str
        Role ("weight", "bias", "running_mean", ...) to the name of the parameter or buffer in the model.
    case : object
        Geometry and options, as the tape holds them.
    input_shapes : tuple
        Shapes of the inputs that are ops or the example, in order.
    shape : tuple of int
        Shape of the result.
    macs : int
        Multiply-adds of convolutions and matrix products; 0 for all else.
    """

    number: int
    op: str
    inputs: tuple[int | None, ...]
    tensors: Mapping[str, str]
    case: Any
    input_shapes: tuple[tuple[int, ...], ...]
    shape: tuple[int, ...]
    macs: int

    @property
    def sources(self) -> tuple[int, ...]:
        """The inputs that are ops or the example."""
        return tuple(i for i in self.inputs if i is not None)

    @property
    def module(self) -> str:
        """Name of the module that owns the op's parameters, "" without any."""
        return next(iter(self.tensors.values()), "").rpartition(".")[0]


@dataclass(frozen=True)
class Graph:
    """Operations in the order of their computation; the last one is the model's result.

    Attributes
    ----------
    ops : tuple of Op
    input_shape : tuple of int
        Shape of the example.
    parameters : mapping of str to tuple
        Name and shape of every parameter of the model, used by an op or not.
    """

    ops: tuple[Op, ...]
    input_shape: tuple[int, ...]
    parameters: Mapping[str, tuple[int, ...]]

    @property
    def parameter_count(self) -> int:
        """Number of elements of all parameters."""
        return sum(prod(shape) for shape in self.parameters.values())

    @property
    def macs(self) -> int:
        """Multiply-adds for the example's whole batch."""
        return sum(op.macs for op in self.ops)

    def users(self, number: int) -> list[Op]:
        """Return the ops that read the result of op `number` (or of EXAMPLE)."""
        return [op for op in self.ops if number in op.inputs]

    def summary(self) -> str:
        """Return a text table of the ops with their shapes, parameters and multiply-adds."""
        from .summary import summary

        return summary(self)
