"""tests.train.test_memory: memory that runs out in a step raises and loses nothing; thousands of steps take no more memory."""

import os
import subprocess
import sys

import numpy as np
import pytest

from fastcnn import train
from fastcnn.optim import Optimizer

from .runs import RECIPES
from .test_trainer import Run, digits, state

STRESS = bool(os.environ.get("FASTCNN_STRESS"))


def made(recipe):
    run = Run(recipe)
    options = {"schedule": run.schedule, "validation": digits(False, 40), "accumulate": 2, "clip_norm": 1.0}
    trainer = train.Trainer(run.model, run.loader, run.optimizer, callbacks=[train.EMA(0.5)], **options)
    trainer.run = run
    return trainer


class RunsOut:
    """Raises MemoryError at the n-th call, of Python or C, that a step makes before its update changes weights.

    In the first step the update counts as well: that is where the optimizer allocates its state.
    """

    def __init__(self, trainer, step, number):
        self.trainer, self.step, self.number = trainer, step, number
        self.calls = self.before_update = 0
        self.inside = self.too_late = False

    def __call__(self, frame, event, argument):
        if self.trainer.step != self.step or self.too_late or event not in ("call", "c_call"):
            return
        name = frame.f_code.co_name
        if event == "call" and name in ("groups", "__call__"):
            self.inside = True
        if frame.f_code is Optimizer.step.__code__:
            self.before_update = self.before_update or self.calls
            self.too_late = self.step > 0
        if self.inside and name != "_train_batches":
            self.calls += 1
            if self.calls == self.number:
                sys.setprofile(None)
                raise MemoryError


def run_out(recipe, step, number):
    """Train until memory is out at that call; return the trainer and the counter of calls."""
    trainer = made(recipe)
    counter = RunsOut(trainer, step, number)
    sys.setprofile(counter)
    try:
        trainer.fit(2)
    except MemoryError:
        assert trainer.step == step
    else:
        assert number == 0
    finally:
        sys.setprofile(None)
    return trainer, counter


@pytest.mark.parametrize("recipe", RECIPES)
def test_memory_that_runs_out_within_a_step(recipe):
    whole = made(recipe)
    whole.fit(2)
    expected = state(whole)
    rng = np.random.default_rng(0)
    for step in (0, 3):
        _, counted = run_out(recipe, step, 0)
        first, last = counted.before_update, counted.calls
        within = rng.integers(1, first, 150 if STRESS else 8)
        update = range(first, last, 1 if STRESS else 12) if step == 0 else ()
        assert last - first > 20 or step > 0
        for number in (*within, *update):
            trainer, _ = run_out(recipe, step, int(number))
            trainer.fit(2)
            assert state(trainer) == expected, (step, number)


LIMITED = """
import resource, sys
import numpy as np
from fastcnn import nn, optim, threads, train
threads.set_num_threads(1)
body = (nn.Conv2d(3, 64, 3, padding=1), nn.BatchNorm2d(64), nn.ReLU(), nn.AdaptiveAvgPool2d(1))
model = nn.Sequential(*body, nn.Flatten(), nn.Linear(64, 10))
optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
def batches(n):
    return [(np.ones((n, 3, 64, 64), "f4"), np.zeros(n, int))]
train.Trainer(model, batches(2), optimizer).fit(1)
large = batches(128)  # 128 MiB for each result of the first layers
before = [t.numpy().copy() for t in model.state_dict().values()]
size = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
for room in (1, 60, 150, 250):
    resource.setrlimit(resource.RLIMIT_AS, (size + room * 2**20, resource.RLIM_INFINITY))
    try:
        train.Trainer(model, large, optimizer).fit(1)
        print(room, "enough")
    except MemoryError:
        same = all(np.array_equal(a, t.numpy()) for a, t in zip(before, model.state_dict().values()))
        print(room, "raised", same)
resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
history = train.Trainer(model, large, optimizer).fit(1)
print("then", len(history))
"""


def in_new_process(code, *arguments):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_a_real_limit_of_memory():
    lines = in_new_process(LIMITED)
    assert lines == ["1 raised True", "60 raised True", "150 raised True", "250 raised True", "then 1"]


SOAK = """
import gc, resource, sys
import fastcnn.nn.functional as F
from fastcnn import data, nn, optim, threads, train
from tests.train.runs import Run, digits
threads.set_num_threads(2)
steps, trainer_too = int(sys.argv[1]), sys.argv[2] == "trainer"
run = Run()
def resident():
    gc.collect()
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize()
class Watch(train.Callback):
    def on_step_end(self, trainer):
        if trainer.step == 500:
            self.first = resident()
if trainer_too:
    watch = Watch()
    callbacks = [train.EMA(), train.EarlyStop("loss", patience=10**6), watch]
    made = train.Trainer(run.model, run.loader, run.optimizer, schedule=run.schedule, callbacks=callbacks, clip_norm=1.0)
    made.fit((steps + 500) // 5)
    first = watch.first
else:
    run.steps(500)
    first = resident()
    run.steps(steps)
print(resident() - first)
"""


@pytest.mark.parametrize("loop", ["plain", "trainer"])
def test_soak(loop):
    steps, bound = (200_000, 2 << 20) if STRESS else (2_000, 1 << 20)
    (grown,) = in_new_process(SOAK, steps, loop)
    assert int(grown) <= bound, f"{steps} steps of the {loop} loop: {int(grown) / 2**20:.2f} MiB more"
