"""train.recorded: one recording of a step: its arguments' buffers, its kernel calls, what it must leave behind after a replay."""

from __future__ import annotations

from collections.abc import Callable

from numpy import copyto, ndarray

from ..autograd.mode import mode
from ..kernels import entry, strided
from ..threads import get_num_threads
from .arguments import arrays, rebuilt, tensors
from .watch import Guard, Watch

SMALL = 1 << 15  # elements; NumPy starts faster, and one thread is enough


def watched(function: Callable, args: tuple, options: dict, watch: Watch):
    """Run the step op by op under the eyes of `watch`."""
    mode.witness = watch
    try:
        return function(*args, **options)
    finally:
        mode.witness = None


def detached(result):
    """Return a result without its graph, so that memory goes back as soon as the caller drops it."""
    return rebuilt(result, lambda array: array)


class Recorded:
    """A step that ran once, and can run again with other values in the same places.

    Attributes
    ----------
    guard : Guard
    refused : str or None
        Why it cannot be replayed.
    size : int
        Bytes of its memory.
    replays : int
    """

    def __init__(self):
        self.recording = entry.Recording()
        self.inputs: list[ndarray] = []
        self.refused: str | None = None
        self.replays = self.size = 0

    def record(self, function: Callable, args: tuple, options: dict, earlier: Watch):
        """Run the step, keep what it does, and return its result; a step that raises is not kept."""
        recording, threads = self.recording, get_num_threads()
        buffers = rebuilt((args, options), lambda array: strided.copy(array, threads=threads))
        args, options = buffers
        self.inputs = list(arrays(buffers))
        own = tensors(buffers)
        watch = Watch(earlier)
        recording.start()
        try:
            result = detached(watched(function, args, options, watch))
        except BaseException:
            recording.stop()
            recording.close()
            raise
        recording.stop()
        self.guard = Guard(watch, earlier, own)
        self.refused = watch.refused or recording.refused or self.guard.moved() or watch.strange(earlier, own)
        # A leaf that is no argument keeps the gradient that the step gave it, or lost.
        touched = {key: leaf for key, (leaf, _) in watch.gradients.items()}
        touched |= {key: watch.leaves[key] for key, grad in watch.before.items() if watch.leaves[key].grad is not grad}
        self.gradients = [(leaf, leaf.grad) for leaf in touched.values()]
        self.refused = self.refused or self._foreign((result, [gradient for _, gradient in self.gradients]))
        if self.refused is not None:
            recording.close()
            self.inputs, self.gradients = [], []
            return result
        self.result, self.size = result, recording.size + sum(x.nbytes for x in self.inputs)
        self.versions = [(t, t.version - version) for t, version in watch.versions.values() if t.version != version]
        return self._copied()

    def _foreign(self, results) -> str | None:
        """Return what NumPy made during the step: a replay would meet its old values."""
        loose = [x for x in (*self.recording.outside, *arrays(results)) if self.recording.foreign(x)]
        return f"an array of shape {loose[0].shape}, {loose[0].dtype}, that NumPy made during the step" if loose else None

    def broken(self) -> str | None:
        """Return why the recording does not fit the next call, or None."""
        return self.guard.broken() or next((why for check in self.recording.guards if (why := check()) is not None), None)

    def replay(self, args: tuple, options: dict):
        """Run the step on these arguments, and return its result."""
        threads = get_num_threads()
        for place, value in zip(self.inputs, arrays((args, options)), strict=True):
            if place.size < SMALL:
                copyto(place, value)
            else:
                strided.copy_to(place, value, threads=threads)
        self.recording.replay()
        for tensor, rise in self.versions:
            tensor.version += rise
        for leaf, gradient in self.gradients:
            leaf.grad = gradient
        self.replays += 1
        return self._copied()

    def _copied(self):
        return rebuilt(self.result, lambda array: array.copy(order="K"))

    def close(self) -> None:
        """Let go of all memory."""
        self.recording.close()
        self.inputs, self.result, self.gradients, self.versions = [], None, [], []
