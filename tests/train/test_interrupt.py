"""tests.train.test_interrupt: Ctrl-C at any moment of a step saves a checkpoint, from which the run goes on exactly."""

import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import fastcnn.nn.functional as F
from fastcnn import train

from .runs import Run, digest, digits
from .test_trainer import state, without_times


def press():
    """Ctrl-C, as the terminal sends it."""
    signal.raise_signal(signal.SIGINT)


class Pressing(train.Callback):
    """Presses Ctrl-C in one of the calls of a Trainer."""

    def __init__(self, moment, times=1):
        self.moment, self.times, self.done = moment, times, 0

    def at(self, moment):
        if moment == self.moment and self.done < self.times:
            self.done += 1
            press()

    def on_train_begin(self, trainer):
        self.at("begin")

    def on_step_end(self, trainer):
        if trainer.step in (2, 7):
            self.at(f"step {trainer.step}")

    def on_epoch_end(self, trainer, epoch):
        self.at("epoch")

    def on_train_end(self, trainer):
        self.at("end")

    def state_dict(self):
        return {}


def made(folder, pressing):
    run = Run()
    forward, step, batch = run.model.forward, run.optimizer.step, run.loader.dataset.batch

    def pressed(name, function, *arguments):
        pressing.at(f"before {name}")
        result = function(*arguments)
        pressing.at(f"after {name}")
        return result

    run.model.forward = lambda x: pressed("forward" if run.model.training else "validation", forward, x)
    run.optimizer.step = lambda: pressed("update", step)

    class Pressed(type(run.loader.dataset)):
        def batch(self, index):
            return pressed("batch", batch, index)

    run.loader.dataset.__class__ = Pressed
    trainer = train.Trainer(
        run.model,
        run.loader,
        run.optimizer,
        schedule=run.schedule,
        loss=lambda a, b: pressed("loss", F.cross_entropy, a, b),
        validation=digits(True, 600),  # three batches
        callbacks=[pressing, train.EMA(0.5), train.Checkpoint(folder / "c", every_epochs=None)],
    )
    trainer.run = run
    return trainer


MOMENTS = ["begin", "step 2", "step 7", "epoch", "end"] + [
    f"{when} {what}" for what in ("batch", "forward", "loss", "update", "validation") for when in ("before", "after")
]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    trainer = made(tmp_path_factory.mktemp("whole"), Pressing(None))
    trainer.fit(2)
    return state(trainer)


@pytest.mark.parametrize("moment", MOMENTS)
def test_ctrl_c_at_any_moment(tmp_path, whole, moment):
    handler = signal.getsignal(signal.SIGINT)
    trainer = made(tmp_path, Pressing(moment))
    trainer.fit(2)
    assert trainer.interrupted and signal.getsignal(signal.SIGINT) is handler
    assert len(trainer.history) == {"end": 2, "epoch": 1, "step 7": 1}.get(moment, 0)
    other = made(tmp_path, Pressing(None))
    other.load(tmp_path / "c")
    assert state(other) == state(trainer)  # the file holds the run as it stopped
    other.fit(2)
    assert state(other) == whole and not other.interrupted
    assert os.listdir(tmp_path) == ["c"]


@pytest.mark.parametrize("moment", ["step 2", "after validation", "before update"])
def test_going_on_in_the_same_process(tmp_path, whole, moment):
    trainer = made(tmp_path, Pressing(moment))
    trainer.fit(2)
    assert trainer.interrupted
    trainer.fit(2)
    assert state(trainer) == whole


def test_the_second_ctrl_c_raises(tmp_path):
    handler = signal.getsignal(signal.SIGINT)
    trainer = made(tmp_path, Pressing("before forward", times=2))
    train.save_checkpoint(tmp_path / "c", old=1)
    forward = trainer.model.forward
    trainer.model.forward = lambda x: (trainer.callbacks[0].at("before forward"), forward(x))[1]
    with pytest.raises(KeyboardInterrupt):
        trainer.fit(2)
    assert signal.getsignal(signal.SIGINT) is handler
    assert train.load_checkpoint(tmp_path / "c") == {"old": 1}
    trainer.model.forward = forward
    trainer.fit(1)  # weights, generator and loader are as before that step
    assert trainer.step == 5


def test_random_moments(tmp_path):
    """Real signals at random times within one run, each followed by a resume in new objects."""
    rng = np.random.default_rng(0)
    stops = 0
    trainer = made(tmp_path, Pressing(None))
    trainer.fit(60)
    whole = state(trainer)
    trainer = made(tmp_path, Pressing(None))
    while len(trainer.history) < 60:
        trainer.callbacks.insert(0, Timed(rng.uniform(0, 0.03)))
        trainer.fit(60)
        stops += trainer.interrupted
        trainer = made(tmp_path, Pressing(None))
        trainer.load(tmp_path / "c")
    assert state(trainer) == whole and stops >= 2


class Timed(train.Callback):
    """Presses Ctrl-C after some seconds, if the training still runs then."""

    def __init__(self, seconds):
        self.timer = threading.Timer(seconds, signal.pthread_kill, (threading.main_thread().ident, signal.SIGINT))

    def on_train_begin(self, trainer):
        self.timer.start()

    def on_train_end(self, trainer):
        self.timer.cancel()
        self.timer.join()


def test_other_handlers_and_other_threads_are_left_alone(tmp_path):
    seen = []
    old = signal.signal(signal.SIGINT, lambda *_: seen.append(1))
    try:
        trainer = made(tmp_path, Pressing("step 2"))
        trainer.fit(1)
        assert seen == [1] and not trainer.interrupted and trainer.step == 5
    finally:
        signal.signal(signal.SIGINT, old)
    trainer = made(tmp_path, Pressing(None))
    thread = threading.Thread(target=trainer.fit, args=(1,))
    thread.start()
    thread.join()
    assert trainer.step == 5


def test_fit_raises_after_the_step(tmp_path):
    run = Run()
    saved = train.Checkpoint(tmp_path / "c")
    with pytest.raises(KeyboardInterrupt):
        train.fit(run.model, run.loader, run.optimizer, epochs=2, callbacks=[Pressing("step 2"), saved])
    rest = train.load_checkpoint(tmp_path / "c", model=Run().model)
    assert rest["run"]["step"] == 2 and rest["run"]["running"]["count"] == 32
    assert digest(without_times(rest["run"])["history"]) == digest([])


SCRIPT = """
import sys
from fastcnn import data, models, optim, train
model = models.lenet5()
loader = data.DataLoader(data.digits(), 32, shuffle=True)
checkpoint = train.Checkpoint(sys.argv[1], every_epochs=None)
trainer = train.Trainer(model, loader, optim.SGD(model.parameters(), lr=0.01), callbacks=[checkpoint], progress="lines")
trainer.fit(10_000)
print("interrupted", trainer.interrupted, trainer.step)
"""


def test_a_script_stops_cleanly(tmp_path):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT, tmp_path / "c"], stdout=subprocess.PIPE, env=environment, text=True
    ) as p:
        assert p.stdout.readline().startswith("epoch 1")
        time.sleep(0.05)
        p.send_signal(signal.SIGINT)
        last = p.stdout.read().splitlines()[-1].split()
    assert p.returncode == 0 and last[:2] == ["interrupted", "True"]
    assert train.load_checkpoint(tmp_path / "c")["run"]["step"] == int(last[2])
