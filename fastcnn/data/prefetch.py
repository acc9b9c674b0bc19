"""data.prefetch: results of a sequence of tasks in their order, computed ahead by background threads."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice
from queue import Empty, SimpleQueue

LOOK = 0.2  # seconds after which a thread without work looks whether the program has ended
WORTH = 1e-4  # seconds: a task that takes less costs more to hand to a thread (10 to 20 us, and the GIL there and back)
CHEAP = 16  # tasks in a row that took less, after which none is handed out until one takes longer


class _Job:
    """A task, and what becomes of it. Whoever gets hold of `claim` runs it."""

    __slots__ = ("claim", "done", "error", "result", "seconds", "task")

    def __init__(self, task):
        self.task, self.result, self.error, self.seconds = task, None, None, 0.0
        self.claim, self.done = threading.Lock(), threading.Lock()
        self.done.acquire()

    def run(self, function: Callable) -> None:
        start = time.perf_counter()
        try:
            self.result = function(self.task)
        except BaseException as error:
            self.error = error
        self.seconds = time.perf_counter() - start
        self.done.release()


def _work(function: Callable, jobs: SimpleQueue) -> None:
    """Compute jobs until None comes, or until the main thread has ended and left an iteration unfinished."""
    while True:
        try:
            job = jobs.get(timeout=LOOK)
        except Empty:
            if threading.main_thread().is_alive():
                continue
            return
        if job is None:
            return
        if job.claim.acquire(blocking=False):
            job.run(function)
        del job  # or it would hold its result while this thread waits


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
    Nobody waits for work that nobody does: the consumer hands out a task for each result that it takes, and computes the next
    result itself when no thread has begun it, or when tasks take so little time that handing them out takes longer. Whoever
    stops iterating leaves at most `ahead` tasks behind; those not begun are cancelled by `close()`, which also runs when the
    object is collected. An exception of `function` is raised where its result would have come, with the traceback of the
    thread. After `fork()` the child has no such threads: it computes the results itself.
    """

    def __init__(self, function: Callable, tasks: Iterator, workers: int, ahead: int):
        self._function, self._tasks, self._ahead = function, tasks, ahead
        self._waiting: deque[_Job] = deque()  # oldest first
        self._jobs: SimpleQueue = SimpleQueue()
        self._process = os.getpid()
        self._cheap = 0  # tasks in a row
        self._threads = [
            threading.Thread(target=_work, args=(function, self._jobs), name=f"fastcnn-data_{number}")
            for number in range(workers)
        ]
        for thread in self._threads:
            thread.start()

    def __iter__(self):
        return self

    def __next__(self):
        if self._threads and self._process != os.getpid():
            self._threads = []
        if not self._threads:
            return self._function(self._waiting.popleft().task if self._waiting else next(self._tasks))
        try:
            if self._cheap < CHEAP and len(self._waiting) <= self._ahead // 2:
                self._hand_out()
            job = self._waiting.popleft() if self._waiting else _Job(next(self._tasks))
            if job.claim.acquire(blocking=False):
                job.run(self._function)
            job.done.acquire()
            self._cheap = self._cheap + 1 if job.seconds < WORTH else 0
            if job.error is not None:
                raise job.error
            return job.result
        except BaseException:  # StopIteration too
            self.close()
            raise

    def _hand_out(self) -> None:
        """Fill up what is under way; several tasks at once, because each time a thread may have to be woken."""
        for task in islice(self._tasks, self._ahead + 1 - len(self._waiting)):
            job = _Job(task)
            self._waiting.append(job)
            self._jobs.put(job)

    def close(self) -> None:
        """Cancel what has not begun and let the threads end."""
        threads, self._threads, self._tasks = self._threads, [], iter(())
        waiting, self._waiting = self._waiting, deque()
        if threads and self._process == os.getpid():
            for job in waiting:
                job.claim.acquire(blocking=False)
            for _ in threads:
                self._jobs.put(None)

    def __del__(self):
        self.close()
