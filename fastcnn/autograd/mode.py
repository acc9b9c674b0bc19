"""autograd.mode: whether operations are recorded, run again by a checkpoint, and who watches them; per thread."""

from __future__ import annotations

import functools
import threading

from .witness import Witness


class _Mode(threading.local):
    enabled = True
    again = False
    witness: Witness | None = None


mode = _Mode()


class _Recording:
    """Sets this thread's mode until the end of the `with` block or of the decorated function."""

    def __init__(self, enabled: bool):
        self._enabled = enabled
        self._outer: list[bool] = []

    def __enter__(self):
        self._outer.append(mode.enabled)
        mode.enabled = self._enabled
        return self

    def __exit__(self, *_exception) -> None:
        mode.enabled = self._outer.pop()

    def __call__(self, function):
        enabled = self._enabled

        @functools.wraps(function)
        def wrapped(*args, **kwargs):
            with _Recording(enabled):
                return function(*args, **kwargs)

        return wrapped


class no_grad(_Recording):
    """Do not record operations: results have `requires_grad=False` and keep nothing alive.

    A context manager and a decorator; it concerns the calling thread only.

    Examples
    --------
    >>> import fastcnn as fc
    >>> x = fc.tensor([1.0, 2.0], requires_grad=True)
    >>> with fc.no_grad():
    ...     y = x * 2
    >>> y.requires_grad
    False
    """

    def __init__(self):
        super().__init__(False)


class enable_grad(_Recording):
    """Record operations, inside an outer `no_grad` too."""

    def __init__(self):
        super().__init__(True)


def is_grad_enabled() -> bool:
    """Say whether this thread records operations."""
    return mode.enabled


class recomputing:
    """Say that what runs inside ran before: layers leave alone what they count or average."""

    def __enter__(self):
        self._outer, mode.again = mode.again, True
        return self

    def __exit__(self, *_exception) -> None:
        mode.again = self._outer


def is_recomputing() -> bool:
    """Say whether this thread runs a function again for `checkpoint`: its effects outside of the result took place already.

    Batch normalisation asks this before it moves its running statistics; a layer with state of its own should as well.

    Examples
    --------
    >>> import fastcnn as fc
    >>> x, runs = fc.tensor([1.0], requires_grad=True), []
    >>> y = fc.autograd.checkpoint(lambda x: (runs.append(fc.autograd.is_recomputing()), x.exp())[1], x)
    >>> y.backward()
    >>> runs
    [False, True]
    """
    return mode.again
