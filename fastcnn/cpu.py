"""fastcnn.cpu: the instruction set that kernels use, and why."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .cpu_probe import level, supports, use
from .errors import ArgumentError

LEVELS = ("generic", "avx2", "avx512")  # worst first; an index into this is the level that kernels look up


def available() -> tuple[str, ...]:
    """Return the names of the levels that run on this processor, best last."""
    return tuple(name for i, name in enumerate(LEVELS) if supports(i))


def _index(name: str, source: str) -> int:
    if name not in LEVELS:
        raise ArgumentError(f"{source}: the instruction set must be one of {', '.join(LEVELS)}, got {name!r}")
    level = LEVELS.index(name)
    if not supports(level):
        raise ArgumentError(f"{source}: this processor does not support {name}; it supports {', '.join(available())}")
    return level


def _default() -> tuple[int, str]:
    name = os.environ.get("FASTCNN_ISA", "").strip().lower()
    if name:
        return _index(name, "FASTCNN_ISA"), f"FASTCNN_ISA={name}"
    return LEVELS.index(available()[-1]), "best that this processor supports"


def _set(chosen: int, why: str) -> None:
    global _reason
    use(chosen)  # an index into LEVELS, which kernels ask for at each call
    _reason = why


_reason: str
_set(*_default())


def isa() -> str:
    """Return the name of the instruction set in use."""
    return LEVELS[level()]


def reason() -> str:
    """Say why this instruction set is in use."""
    return _reason


def set_isa(name: str) -> None:
    """Use the named instruction set from now on, in every thread; raise ArgumentError when it cannot run here."""
    _set(_index(name, "set_isa"), "set_isa")


@contextmanager
def use_isa(name: str) -> Iterator[None]:
    """Use the named instruction set inside a `with` block."""
    before = level(), _reason
    set_isa(name)
    try:
        yield
    finally:
        _set(*before)


def processor() -> str:
    """Return the processor's name as the system gives it."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith(("model name", "Model")):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
