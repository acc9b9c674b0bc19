"""train.interrupt: Ctrl-C as a wish to stop after the step under way."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def on_interrupt(stop: Callable[[], None]) -> Iterator[None]:
    """Inside the block the first SIGINT calls `stop()`; the second raises KeyboardInterrupt at once.

    Afterwards the handler is as before. Python delivers signals to the main thread only, and a handler that somebody has set is
    left alone: in both cases the block changes nothing.
    """
    ours = threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if not ours:
        yield
        return
    pressed = False

    def handler(_number, _frame) -> None:
        nonlocal pressed
        if pressed:
            raise KeyboardInterrupt
        pressed = True
        stop()

    signal.signal(signal.SIGINT, handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
