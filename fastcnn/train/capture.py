"""train.capture: a training step recorded once and replayed without Python between its operations."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import update_wrapper
from threading import Lock

from .. import cpu, policy
from ..autograd.mode import mode
from ..errors import ArgumentError, CaptureWarning, StateError
from ..kernels import entry
from ..threads import get_num_threads
from .arguments import kind, unfit
from .recorded import Recorded, detached, watched
from .watch import Guard, Watch


@dataclass(frozen=True)
class CaptureReport:
    """What became of the calls of a captured step.

    Attributes
    ----------
    calls, replayed, recorded : int
        All calls; those that were replays; those that were recorded, op by op, for later ones.
    recordings : int
        How many are kept.
    kernels : int
        Kernel calls of the largest.
    size : int
        Bytes of memory of all.
    reasons : dict of str to int
        Why calls ran op by op, and how many: what cannot be replayed, and the first call of each kind.
    """

    calls: int
    replayed: int
    recorded: int
    recordings: int
    kernels: int
    size: int
    reasons: dict[str, int] = field(default_factory=dict)

    def __str__(self) -> str:
        head = (
            f"{self.calls} calls: {self.replayed} replayed, {self.recorded} recorded; {self.recordings} recordings of at most "
            f"{self.kernels} kernel calls in {self.size / 2**20:.1f} MiB"
        )
        return "\n".join([head, *(f"  op by op {count} times: {reason}" for reason, count in self.reasons.items())])


FIRST = "the first call of its kind"


@dataclass
class _Kind:
    """The calls of one kind: after the first, op by op, what it met; then its recording, or why there can be none."""

    key: tuple
    watch: Watch
    guard: Guard
    recorded: Recorded | None = None
    refused: str | None = None

    def fits(self, key: tuple) -> bool:
        """Whether this is what the next call runs."""
        if key != self.key or (self.recorded is None and self.refused is None):
            return False
        return (self.guard.broken() if self.recorded is None else self.recorded.broken()) is None

    def prepares(self, key: tuple) -> bool:
        """Whether the next call can be recorded, because a call before met the same."""
        return key == self.key and self.refused is None and self.guard.broken() is None


class Capture:
    """A step and the recordings of it, see `capture`."""

    def __init__(self, function: Callable, max_recordings: int):
        if not callable(function):
            raise ArgumentError(f"capture: step must be callable, got {type(function).__name__}")
        if not isinstance(max_recordings, int) or isinstance(max_recordings, bool) or max_recordings < 1:
            raise ArgumentError(f"capture: max_recordings must be an int of at least 1, got {max_recordings!r}")
        update_wrapper(self, function, updated=())
        self.function, self.max_recordings = function, max_recordings
        self._kinds: list[_Kind] = []  # the least recently used first
        self._calls = self._replayed = self._recorded = 0
        self._reasons: dict[str, int] = {}
        self._running = Lock()

    def __call__(self, *args, **options):
        """Run the step: by a replay where a recording fits, else op by op."""
        if mode.witness is not None or entry.current() is not None:  # a part of another step that is being captured
            return self.function(*args, **options)
        if not self._running.acquire(blocking=False):
            raise StateError("capture: the step is running already, in another thread or in itself")
        try:
            self._calls += 1
            return self._run(args, options)
        finally:
            self._running.release()

    def _run(self, args: tuple, options: dict):
        plans = policy.state.measuring, policy.state.blocks and policy.asked.get()
        key = kind((args, options)), get_num_threads(), cpu.level(), mode.enabled, plans
        one = next((one for one in self._kinds if one.fits(key)), None)
        if one is None:
            base = next((one for one in self._kinds if one.prepares(key)), None)
            if self._recorded >= 8 * self.max_recordings:
                return self._op_by_op(f"calls of more than {8 * self.max_recordings} kinds", args, options)
            return self._first(key, args, options) if base is None else self._record(base, args, options)
        self._kinds.append(self._kinds.pop(self._kinds.index(one)))
        if one.recorded is None:
            return self._op_by_op(str(one.refused), args, options)
        result = one.recorded.replay(args, options)
        self._replayed += 1
        return result

    def _first(self, key: tuple, args: tuple, options: dict):
        """Run a call of a new kind op by op: states are made, plans are chosen, and it is seen what the step uses."""
        watch = Watch()
        watch.refused = unfit((args, options))
        result = detached(watched(self.function, args, options, watch))
        watch.look_again()
        guard = Guard(watch, watch, ())
        guard.gradients, watch.gradients = [], {}  # whether there are some is seen when it is recorded
        self._keep(_Kind(key, watch, guard, refused=watch.refused))
        if watch.refused is None:
            self._reasons[FIRST] = self._reasons.get(FIRST, 0) + 1
        else:
            self._tell(watch.refused)
        return result

    def _record(self, base: _Kind, args: tuple, options: dict):
        """Record a call of the kind `base`, or of one that differs in gradients or states only."""
        recorded = Recorded()
        result = recorded.record(self.function, args, options, base.watch)
        self._recorded += 1
        if recorded.refused is not None:
            base.refused = recorded.refused
            self._tell(recorded.refused)
        elif base.recorded is None:
            base.recorded = recorded
        else:
            self._keep(_Kind(base.key, base.watch, base.guard, recorded))
        return result

    def _keep(self, one: _Kind) -> None:
        while len(self._kinds) >= self.max_recordings:
            gone = self._kinds.pop(0)
            if gone.recorded is not None:
                gone.recorded.close()
        self._kinds.append(one)

    def _op_by_op(self, reason: str, args: tuple, options: dict):
        self._tell(reason)
        return detached(self.function(*args, **options))

    def _tell(self, reason: str) -> None:
        """Count the reason, and warn the first time."""
        if reason not in self._reasons:
            name = getattr(self.function, "__qualname__", type(self.function).__name__)
            warnings.warn(f"capture: {name} runs op by op because of {reason}", CaptureWarning, stacklevel=5)
        self._reasons[reason] = self._reasons.get(reason, 0) + 1

    def report(self) -> CaptureReport:
        """Return counts of calls, memory, and the reasons why calls ran op by op."""
        kept = [one.recorded for one in self._kinds if one.recorded is not None]
        kernels = max((len(one.recording) for one in kept), default=0)
        size = sum(one.size for one in kept)
        return CaptureReport(self._calls, self._replayed, self._recorded, len(kept), kernels, size, dict(self._reasons))

    def close(self) -> None:
        """Forget all recordings and give their memory back; the next calls record anew."""
        for one in self._kinds:
            if one.recorded is not None:
                one.recorded.close()
        self._kinds = []


def capture(step: Callable, *, max_recordings: int = 8) -> Capture:
    """Return a step that does what `step` does, without Python between its operations: it is recorded once, then replayed.

    Parameters
    ----------
    step : callable
        One training step: forward, loss, backward, update; or any part of it. Its arguments are Tensors, arrays, plain values,
        and lists, tuples or dicts of them. It returns Tensors, or lists, tuples or dicts of them, which the caller may keep;
        they carry no graph.
    max_recordings : int
        At most so many are kept, the least recently used go first.

    Returns
    -------
    Capture
        Called like `step`; `report()` counts calls, memory and reasons, `close()` gives the memory back.

    Raises
    ------
    ArgumentError
        If step cannot be called.
    StateError
        In a call while another one runs.

    Notes
    -----
    Every new kind of call (shapes, dtypes, order in memory, plain values, thread count, instruction set, grad mode) runs op by op
    once, is recorded the next time, and is replayed from then on, with the same bits. Attributes of modules (training mode),
    hooks, `requires_grad`, the arrays behind parameters and states, and whether there are gradients already, are compared
    before each replay. Options of optimizers (learning rate, momentum) are read at each replay, counts of steps and batches
    go on, random draws are made anew; schedules stepped inside the step are stepped.

    Other Python inside the step runs while it is recorded, not in a replay: a number from outside that is no argument stays what
    it was. What depends on values (`item()`, `numpy()`, an
    `if`, indexing by a mask), what NumPy makes, and hooks that return nothing make the step run op by op, with a CaptureWarning
    that names the reason; hooks that return something, and `checkpoint`, are recorded. What NumPy writes into an array that
    existed before is not noticed. A recording has memory of its own, `report().size`; `.grad` of the parameters lies in it and is
    overwritten by the next replay.

    Examples
    --------
    >>> import fastcnn as fc
    >>> import fastcnn.nn.functional as F
    >>> model = fc.nn.Linear(4, 2)
    >>> optimizer = fc.optim.SGD(model.parameters(), lr=0.1)
    >>> @fc.capture
    ... def step(x, y):
    ...     loss = F.cross_entropy(model(x), y)
    ...     optimizer.zero_grad()
    ...     loss.backward()
    ...     optimizer.step()
    ...     return loss
    >>> losses = [step(fc.tensor([[1.0, 2.0, 3.0, 4.0]]), fc.tensor([1])).item() for _ in range(5)]
    >>> losses[4] < losses[0], step.report().replayed
    (True, 3)
    """
    return Capture(step, max_recordings)
