"""autograd.witness: who is told what a thread computes: a step that is being captured."""

from __future__ import annotations


class Witness:
    """Told about the operations of the thread in whose `mode.witness` it stands; this one does nothing.

    Attributes
    ----------
    first : int
        Number of the first node that belongs to what is watched.
    """

    first = 0

    def saw(self, op: str, inputs: tuple) -> None:
        """The operation `op` of these tensors ran."""

    def accumulates(self, leaf) -> None:
        """A gradient is about to be added to `leaf.grad`, or to become it."""

    def reads_gradient(self, leaf) -> None:
        """Something works on `leaf.grad`."""

    def changes(self, tensor) -> None:
        """The values of `tensor` are about to be changed in place."""

    def calls(self, module) -> None:
        """A module was called."""

    def refuse(self, what: str) -> None:
        """`what` happened, which depends on values or runs the user's Python."""
