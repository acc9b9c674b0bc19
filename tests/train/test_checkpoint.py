"""tests.train.test_checkpoint: resume equals no stop, bit for bit; what does not fit is refused and changes nothing."""

import os
import subprocess
import sys

import numpy as np
import pytest

import fastcnn as fc
from fastcnn import nn, optim, rng, threads, train
from fastcnn.errors import ArgumentError, FileFormatError, StateError

from .runs import RECIPES, Run, digest

STRESS = bool(os.environ.get("FASTCNN_STRESS"))


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("count", [1, 2])
def test_resume_is_no_stop(tmp_path, recipe, count):
    """24 steps of 5 batches an epoch; the run is stopped within an epoch and at its end."""
    threads.set_num_threads(count)
    whole = Run(recipe).steps(24).digest()
    for stop in range(1, 24) if STRESS else (7, 15):
        train.save_checkpoint(tmp_path / "c", **Run(recipe).steps(stop).parts(), step=stop)
        other = Run(recipe, seed=0)
        rng.generator().random(stop)  # the generator is elsewhere now
        assert train.load_checkpoint(tmp_path / "c", **other.parts()) == {"step": stop}
        assert other.steps(24 - stop).digest() == whole


def test_one_seed_gives_one_run_for_any_number_of_threads():
    digests = set()
    for count in (1, 2, 1, 2):
        threads.set_num_threads(count)
        digests.add(Run().steps(12).digest())
    assert len(digests) == 1
    assert Run(seed=1).steps(12).digest() not in digests


def test_each_part_is_needed(tmp_path):
    """The comparison can fail: a run that forgets one part goes another way."""
    whole = Run().steps(12).digest()
    train.save_checkpoint(tmp_path / "c", **Run().steps(7).parts())
    for forgotten in (*Run().parts(), "rng"):
        other = Run()
        other.steps(2)
        parts = {name: part for name, part in other.parts().items() if name != forgotten}
        train.load_checkpoint(tmp_path / "c", **parts, restore_rng=forgotten != "rng")
        assert other.steps(5).digest() != whole, forgotten


RESUME = """
import sys
from fastcnn import threads, train
from tests.train.runs import Run
threads.set_num_threads(2)
run = Run()
train.load_checkpoint(sys.argv[1], **run.parts())
print(run.steps(5).digest())
"""


def test_resume_in_a_new_process(tmp_path):
    train.save_checkpoint(tmp_path / "c", **Run().steps(7).parts())
    done = subprocess.run([sys.executable, "-c", RESUME, str(tmp_path / "c")], capture_output=True, text=True, env=environment())
    assert done.stdout.strip() == Run().steps(12).digest(), done.stderr


def environment():
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


def test_values_and_parts_left_out_come_back(tmp_path):
    run = Run().steps(3)
    history = train.History([train.Epoch(1, 0.5, 0.25, 1.0, 0.1)])
    train.save_checkpoint(tmp_path / "c", **run.parts(), best=0.5, history=history.as_dicts(), none=None, ema=np.arange(3.0))
    rest = train.load_checkpoint(tmp_path / "c", model=run.model)
    assert rest["best"] == 0.5 and rest["history"] == history.as_dicts() and rest["none"] is None
    assert rest["ema"].tolist() == [0, 1, 2] and rest["schedule"]["last_epoch"] == 3 and "rng" not in rest
    assert digest(rest["optimizer"]) == digest(run.optimizer.state_dict())


def test_a_checkpoint_is_a_state_file_too(tmp_path):
    run = Run()
    train.save_checkpoint(tmp_path / "c", model=run.model, name="x")
    loaded = fc.load(tmp_path / "c")
    np.testing.assert_array_equal(loaded["model.0.weight"].numpy(), run.model[0].weight.numpy())


def fitting_model(**changes):
    options = {"channels": 6, **changes}
    return nn.Sequential(nn.Conv2d(1, options["channels"], 3), nn.Linear(2, 2))


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        (lambda: {"net": fitting_model()}, r"holds model, optimizer, rng, not net"),
        (
            lambda: {"model": fitting_model(channels=5)},
            r"model of .*: load_state_dict: Sequential: 0.weight: shape \(6, 1, 3, 3\)",
        ),
        (lambda: {"model": fitting_model(), "optimizer": _adam()}, r"optimizer of .*: momentum_buffer|optimizer of .*groups"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path, parts, text):
    model = fitting_model()
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    train.save_checkpoint(tmp_path / "c", model=model, optimizer=optimizer)
    given = parts()
    before = digest({name: part.state_dict() for name, part in given.items()}), rng.get_state()
    with pytest.raises(StateError, match=text):
        train.load_checkpoint(tmp_path / "c", **given)
    assert (digest({name: part.state_dict() for name, part in given.items()}), rng.get_state()) == before


def _adam():
    return optim.Adam(nn.Linear(3, 3).parameters())


class Broken:
    """A part whose state cannot be loaded, in several ways."""

    def __init__(self, error=None):
        self.error, self.value = error, 1

    def state_dict(self):
        return {"value": self.value}

    def load_state_dict(self, state):
        self.value = state["value"]
        if self.error is not None:
            error, self.error = self.error, None
            raise error


@pytest.mark.parametrize("error", [KeyError("x"), TypeError("x"), ZeroDivisionError(), KeyboardInterrupt(), MemoryError()])
def test_a_failed_load_puts_everything_back(tmp_path, error):
    run, part = Run().steps(2), Broken()
    train.save_checkpoint(tmp_path / "c", **run.parts(), part=part)
    run.steps(2)
    before, part.value, part.error = run.digest(), 5, error
    kept = isinstance(error, (KeyboardInterrupt, MemoryError))
    with pytest.raises(type(error) if kept else StateError, match=None if kept else "load_checkpoint: part of "):
        train.load_checkpoint(tmp_path / "c", **run.parts(), part=part)
    assert run.digest() == before and part.value == 5


def test_bad_arguments(tmp_path):
    with pytest.raises(ArgumentError, match="the name 'rng'"):
        train.save_checkpoint(tmp_path / "c", rng=1)
    train.save_checkpoint(tmp_path / "c", best=1)
    with pytest.raises(ArgumentError, match="best has no load_state_dict"):
        train.load_checkpoint(tmp_path / "c", best=0)
    fc.save(nn.Linear(2, 2), tmp_path / "m")
    with pytest.raises(FileFormatError, match="is not a checkpoint"):
        train.load_checkpoint(tmp_path / "m")
