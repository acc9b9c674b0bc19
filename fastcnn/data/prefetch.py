"""data.prefetch: results of a sequence of tasks in their order, computed ahead by background threads."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator


class Prefetch:
    """Iterate over `function(task)` for each task; up to `ahead` results are under way or waiting.

    Parameters
    ----------
    function : callable
        Must not hold a reference to whoever iterates, or a broken-off iteration would never be collected.
    tasks : iterator
        Is advanced by the consumer's thread only.
    workers : int
        Threads; 0 computes each result when it is asked for.
    ahead : int

    Notes
    -----
    Threads never wait for the consumer: it hands out a task for each result that it takes. So whoever stops iterating leaves
    at most `ahead` tasks behind; those not begun are cancelled by `close()`, which also runs when the object is collected. An
    exception of `function` is raised where its result would have come, with the traceback of the thread. After `fork()` the
    child has no such threads: it computes the results itself.
    """

    def __init__(self, function: Callable, tasks: Iterator, workers: int, ahead: int):
        self._function, self._tasks, self._ahead = function, tasks, ahead
        self._waiting: deque = deque()  # (task, future), oldest first
        self._pool = None
        self._process = os.getpid()
        if workers:
            from concurrent.futures import ThreadPoolExecutor  # takes a few milliseconds to import

            self._pool = ThreadPoolExecutor(workers, thread_name_prefix="fastcnn-data")

    def __iter__(self):
        return self

    def __next__(self):
        if self._pool is not None and self._process != os.getpid():
            self._pool = None  # its locks may be held by threads that do not exist here
        if self._pool is None:
            task = self._waiting.popleft()[0] if self._waiting else next(self._tasks)
            return self._function(task)
        while len(self._waiting) <= self._ahead:
            task = next(self._tasks, None)
            if task is None:
                break
            self._waiting.append((task, self._pool.submit(self._function, task)))
        if not self._waiting:
            self.close()
            raise StopIteration
        try:
            return self._waiting.popleft()[1].result()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Cancel what has not begun and let the threads end."""
        pool, self._pool, self._tasks = self._pool, None, iter(())
        self._waiting.clear()
        if pool is not None and self._process == os.getpid():
            pool.shutdown(wait=False, cancel_futures=True)

    def __del__(self):
        self.close()
