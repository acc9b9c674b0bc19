"""fastcnn.policy: what the caller asked for: estimated or measured plans, an algorithm for a block of code; and warnings."""

from __future__ import annotations

import os
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from statistics import median

from .cpu import isa as _isa
from .errors import ArgumentError, PerformanceWarning
from .plan_cache import default_path, load, store
from .threads import get_num_threads

MODES = ("estimate", "measure")
ALGORITHMS = ("auto", "direct", "winograd", "depthwise", "batch", "narrow", "reference")
# Operations that are known to be slow when they run by definition.
WARNED_OPS = (
    "conv2d_forward",
    "conv2d_backward_data",
    "conv2d_backward_weight",
    "gemm",
    "max_pool2d_forward",
    "avg_pool2d_forward",
)
ROUNDS = 5
# Below, a wrong choice costs less than a measurement is worth; above, the measurement costs seconds. [multiply-adds]
LEAST_MACS, MOST_MACS = 300_000, 60_000_000_000


class State:
    """What the process is set to."""

    blocks = 0  # use_algorithm blocks that are open in any thread: 0 spares every call the look into `asked`
    measuring = False
    file: Path | None = None


state = State()
asked: ContextVar[str] = ContextVar("fastcnn_algorithm", default="auto")
_plans: dict[tuple, str] = {}
_loaded: set[tuple] = set()
_warned: set[tuple] = set()
_lock = threading.RLock()


def set_plan_mode(mode: str, *, cache: bool | str | os.PathLike | None = None) -> None:
    """Choose between algorithms of a convolution by estimate, or by timing the best two once for each shape.

    Parameters
    ----------
    mode : {"estimate", "measure"}
        "estimate" (the default, or FASTCNN_PLAN) gives the same choice and so the same bits in every run. "measure" times the
        two that the estimate puts first, at the first call of each (direction, geometry, dtype, threads, instruction set), and
        keeps the faster one for the life of the process: two runs may choose differently and then differ by rounding.
    cache : bool or path, optional
        Keep measured choices in a file too: True for `plans.json` in the user's cache folder, or a path. None takes
        FASTCNN_PLAN_CACHE (a path) where it is set. The file is keyed by processor, instruction set and version.

    Raises
    ------
    ArgumentError
        For another mode.

    Examples
    --------
    >>> import fastcnn as fc
    >>> fc.set_plan_mode("measure")
    >>> fc.plan_mode()
    'measure'
    >>> fc.set_plan_mode("estimate")
    """
    if mode not in MODES:
        raise ArgumentError(f"set_plan_mode: mode must be 'estimate' or 'measure', got {mode!r}")
    named = os.environ.get("FASTCNN_PLAN_CACHE") or False if cache is None else cache
    with _lock:
        named = default_path() if named is True else named
        state.file = Path(named) if named else None
        _loaded.clear()
        state.measuring = mode == "measure"


def plan_mode() -> str:
    """Return "estimate" or "measure"."""
    return "measure" if state.measuring else "estimate"


def plan_file() -> Path | None:
    """Return the file that measured choices are kept in, or None."""
    return state.file


def clear_plans() -> None:
    """Forget the measured choices of this process; the file stays."""
    with _lock:
        _plans.clear()
        _loaded.clear()


@contextmanager
def use_algorithm(name: str) -> Iterator[None]:
    """Prefer one algorithm for everything that this thread runs inside a `with` block, backward passes included.

    Parameters
    ----------
    name : {"auto", "direct", "winograd", "depthwise", "batch", "narrow", "reference"}
        Where it does not take a case, "auto" decides. An algorithm named in a call comes first.

    Examples
    --------
    >>> import fastcnn as fc
    >>> with fc.use_algorithm("direct"):
    ...     print(fc.nn.Conv2d(64, 64, 3, padding=1).plan((16, 64, 28, 28), measure=False)["forward"])
    direct
    """
    if name not in ALGORITHMS:
        raise ArgumentError(f"use_algorithm: name must be one of {', '.join(ALGORITHMS)}, got {name!r}")
    token = asked.set(name)
    with _lock:
        state.blocks += 1
    try:
        yield
    finally:
        with _lock:
            state.blocks -= 1
        asked.reset(token)


def warn_slow(op: str, args: tuple) -> None:
    """Warn, once for each operation and shape, that the definition runs because no fast implementation takes the arguments."""
    if op not in WARNED_OPS:
        return
    key = (op, *(getattr(a, "shape", None) for a in args[:2]), *(getattr(a, "dtype", None) for a in args[:2]))
    if key in _warned or len(_warned) > 1000:
        return
    _warned.add(key)
    shown = ", ".join(f"{a.shape} {a.dtype}" for a in args[:2] if hasattr(a, "shape"))
    text = f"{op}: no fast implementation takes {shown}; it runs by definition, slowly"
    warnings.warn(f"{text} (one of float32 and float64 for all operands is fast)", PerformanceWarning, stacklevel=4)


def timeable(macs: int) -> bool:
    """Whether work of that many multiply-adds is worth a measurement."""
    return LEAST_MACS <= macs <= MOST_MACS


def measured(op: str, args: tuple, first, second):
    """Return the faster of two implementations on these arguments: remembered, from the file, or timed now."""
    case = args[-1]
    key = (op, tuple(case), args[0].dtype.char, get_num_threads(), _isa())
    name = _plans.get(key)
    if name is None:
        with _lock:
            _load()
            name = _plans.get(key)
            if name is None:
                name = _plans[key] = faster(first, second, args).name
                if state.file is not None:
                    store(state.file, key, name)
    return second if name == second.name else first


def _load() -> None:
    """Take the choices of the file over, once for each instruction set."""
    level = (state.file, _isa())
    if state.file is None or level in _loaded:
        return
    _loaded.add(level)
    for key, name in load(state.file, _isa()).items():
        _plans.setdefault(key, name)


def faster(first, second, args: tuple, clock: Callable[[], float] = time.perf_counter):
    """Time two implementations in turn and return the one with the smaller median; `first` when they are equal."""
    seconds: dict[str, list[float]] = {first.name: [], second.name: []}
    for implementation in (first, second):
        implementation.run(*args)  # allocation, packing, threads
    for _ in range(ROUNDS):
        for implementation in (first, second):
            start = clock()
            implementation.run(*args)
            seconds[implementation.name].append(clock() - start)
    return second if median(seconds[second.name]) < median(seconds[first.name]) else first


def _from_environment() -> None:
    mode = os.environ.get("FASTCNN_PLAN", "").strip().lower()
    if not mode:
        return
    if mode not in MODES:
        raise ArgumentError(f"FASTCNN_PLAN must be 'estimate' or 'measure', got {mode!r}")
    set_plan_mode(mode)


_from_environment()
