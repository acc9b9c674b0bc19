"""tests.data.test_prefetch: background threads change nothing but time: order, errors, ends, forks."""

import gc
import subprocess
import sys
import threading
import time
import traceback

import numpy as np
import pytest

from fastcnn import data
from fastcnn.data import prefetch

ROW = np.arange(12, dtype="f4").reshape(1, 3, 4)


class Slow(data.ImageDataset):
    """Takes a random time for each batch; fails at one position; remembers which batches it made."""

    def __init__(self, n=40, bad=None, seconds=0.004):
        self.labels, self.shape, self.bad, self.seconds, self.made = np.arange(n), (1, 3, 4), bad, seconds, []

    def stored(self, index):
        y = self.labels[index]
        time.sleep(self.seconds * np.random.default_rng(int(y[0])).random())
        self.made.append(int(y[0]))
        if self.bad is not None and self.bad in y:
            raise ValueError(f"image {self.bad} is bad")
        return ROW * y[:, None, None, None].astype("f4"), y


def stream(loader):
    return [(x.numpy().copy(), y.tolist()) for x, y in loader]


def our_threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("fastcnn-data")]


def wait_for_the_end_of_threads():
    end = time.monotonic() + 5
    while our_threads() and time.monotonic() < end:
        time.sleep(0.005)
    assert not our_threads()


def loader(workers, dataset=None, factor=2):
    flip = [data.RandomHorizontalFlip(), data.RandomShift(1)]
    options = {"shuffle": True, "seed": 3, "transform": flip, "num_workers": workers, "prefetch_factor": factor}
    return data.DataLoader(dataset or Slow(), 6, **options)


@pytest.mark.parametrize(("workers", "factor"), [(1, 1), (1, 4), (3, 2)])
def test_the_same_bits_whatever_the_number_of_threads(workers, factor):
    for (a, y), (b, z) in zip(stream(loader(0)), stream(loader(workers, factor=factor)), strict=True):
        np.testing.assert_array_equal(a, b)
        assert y == z
    wait_for_the_end_of_threads()


@pytest.mark.parametrize("stop", [1, 3, 7])
def test_resume_counts_what_was_given_out(stop):
    whole = stream(loader(0))
    running = loader(2)
    iterator = iter(running)
    for _ in range(stop):
        next(iterator)
    resumed = loader(1)
    resumed.load_state_dict(running.state_dict())
    rest = stream(resumed) if stop < 7 else []
    assert [y for _, y in rest] == [y for _, y in whole[stop:]]


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_errors_come_in_their_turn_with_the_traceback_of_the_thread(workers):
    dataset = Slow(bad=14)
    given = []
    with pytest.raises(ValueError, match="image 14 is bad") as caught:
        for _, y in data.DataLoader(dataset, 6, num_workers=workers):
            given.append(y[0])
    assert given == [0, 6]
    assert "in stored" in "".join(traceback.format_exception(caught.value))
    del caught
    wait_for_the_end_of_threads()


def test_no_more_is_made_ahead_than_was_asked_for():
    dataset = Slow(600, seconds=0)
    iterator = iter(data.DataLoader(dataset, 6, num_workers=2, prefetch_factor=3))
    next(iterator)
    time.sleep(0.05)
    assert len(dataset.made) <= 1 + 2 * 3
    del iterator


@pytest.mark.parametrize(("worth", "by_threads"), [(1e9, range(4, 20)), (0.0, range(30, 61))])
def test_short_tasks_are_not_handed_out(worth, by_threads, monkeypatch):
    monkeypatch.setattr(prefetch, "WORTH", worth)
    made = prefetch.Prefetch(lambda task: (task, threading.current_thread().name), iter(range(60)), 2, 4)
    results = []
    for result in made:
        results.append(result)
        time.sleep(0.002)  # the threads have time to take what they are given
    assert [task for task, _ in results] == list(range(60))
    assert sum(name.startswith("fastcnn-data") for _, name in results) in by_threads
    assert worth == 0 or all(name == "MainThread" for _, name in results[20:])
    wait_for_the_end_of_threads()


def test_break_and_collection_end_the_threads():
    for _ in loader(2):
        assert our_threads()
        break
    wait_for_the_end_of_threads()
    iterator = iter(loader(2))
    next(iterator)
    gc.disable()
    try:
        del iterator
        wait_for_the_end_of_threads()
    finally:
        gc.enable()


def in_new_process(code):
    start = "import numpy as np, os, sys, time\nfrom fastcnn import data\n"
    done = subprocess.run([sys.executable, "-c", start + code], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


MAKE = "d = data.ArrayDataset(np.zeros((4000, 3, 32, 32), 'u1'), np.arange(4000))\n"


def test_the_interpreter_ends_with_an_iterator_left_over():
    code = MAKE + "it = iter(data.DataLoader(d, 50, num_workers=2, prefetch_factor=8)); next(it); print('end')"
    assert in_new_process(code) == ["end"]


def test_a_forked_child_goes_on_alone():
    code = (
        MAKE
        + """
loader = data.DataLoader(d, 100, shuffle=True, seed=1, num_workers=2)
whole = [int(y.sum()) for _, y in data.DataLoader(d, 100, shuffle=True, seed=1)]
for turn in range(10):
    loader.load_state_dict({**loader.state_dict(), "epoch": 0, "position": 0})
    it = iter(loader)
    sums = [int(next(it)[1].sum()) for _ in range(turn)]
    child = os.fork()
    sums += [int(y.sum()) for _, y in it]
    if child == 0:
        sys.exit(0 if sums == whole else 1)
    assert sums == whole and os.waitpid(child, 0)[1] == 0
print("end")
"""
    )
    assert in_new_process(code) == ["end"]
