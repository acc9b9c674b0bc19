"""tests.train.test_trainer: the Trainer is the plain loop, its options do what they say, and it resumes exactly from any step."""

import os

import numpy as np
import pytest

import fastcnn as fc
import fastcnn.nn.functional as F
from fastcnn import data, optim, rng, train
from fastcnn.errors import ArgumentError, DtypeError, StateError

from .runs import Run, digest, digits, net

STRESS = bool(os.environ.get("FASTCNN_STRESS"))


def trainer(run=None, **options):
    run = run or Run()
    options = {"schedule": run.schedule, "loss": lambda a, b: F.cross_entropy(a, b, label_smoothing=0.1), **options}
    made = train.Trainer(run.model, run.loader, run.optimizer, **options)
    made.run = run
    return made


def without_times(state):
    """A run's state without the seconds, the only figures that two runs may differ in."""
    return {
        **state,
        "history": [{**row, "seconds": 0} for row in state["history"]],
        "running": {**state["running"], "seconds": 0},
    }


def state(made):
    return digest(made.run.digest(), without_times(made.state_dict()))


def test_it_is_the_plain_loop():
    made = trainer()
    made.fit(2)
    reached = digest(made.model.state_dict(), made.optimizer.state_dict(), made.schedule.state_dict(), rng.get_state())
    plain = Run().steps(10)
    assert digest(plain.model.state_dict(), plain.optimizer.state_dict(), plain.schedule.state_dict(), rng.get_state()) == reached
    assert made.step == 10 and made.history.column("number") == [1, 2]


def callbacks(folder):
    return [
        train.EMA(0.9),
        train.EarlyStop("validation_loss", patience=2, restore_best=True),
        train.BestModel(folder / "best", "validation_loss"),
        train.CSVLog(folder / "log.csv"),
    ]


def full(folder, **options):
    folder.mkdir(exist_ok=True)
    return trainer(validation=digits(False, 40), callbacks=callbacks(folder), accumulate=2, clip_norm=1.0, **options)


class Save(train.Callback):
    """Save after one step."""

    order = 100

    def __init__(self, path, step):
        self.path, self.at = path, step

    def on_step_end(self, made):
        if made.step == self.at:
            made.save(self.path)

    def on_epoch_end(self, made, epoch):
        if -self.at == epoch.number:
            made.save(self.path)


def without_seconds(path):
    rows = [line.split(",") for line in path.read_text().splitlines()]
    column = rows[0].index("seconds")
    return [row[:column] + row[column + 1 :] for row in rows]


@pytest.mark.parametrize("at", [*range(1, 13), -1, -2, -3] if STRESS else [1, 3, 5, 8, -2])
def test_resume_from_any_step_is_no_stop(tmp_path, at):
    """4 epochs of 5 batches, two batches per update: the third update of each epoch has one."""
    whole = full(tmp_path / "whole")
    whole.callbacks.append(Save(tmp_path / "c", at))
    whole.fit(4)
    assert whole.step == 12
    whole.callbacks.pop()
    expected = state(whole)
    resumed = full(tmp_path / "resumed")
    rng.generator().random(3)
    resumed.load(tmp_path / "c")
    resumed.fit(4)
    assert state(resumed) == expected
    whole_log, resumed_log = (without_seconds(tmp_path / name / "log.csv") for name in ("whole", "resumed"))
    assert resumed_log == whole_log
    if resumed.callbacks[2].best_epoch > -min(at, 0):  # the best epoch came after the stop: both runs saved it
        assert (tmp_path / "resumed" / "best").read_bytes() == (tmp_path / "whole" / "best").read_bytes()


def test_more_epochs_go_on():
    made = trainer()
    made.fit(1)
    made.fit(1)
    assert made.step == 5
    made.fit(3)
    reached = state(made)
    other = trainer()
    other.fit(3)
    assert state(other) == reached


def test_stopping_within_an_epoch_and_going_on():
    made = trainer()
    made.callbacks.append(Stop(3))
    assert len(made.fit(2)) == 0 and made.step == 3 and made.batches_done == 3 and not made.interrupted
    made.callbacks.clear()
    made.fit(2)
    reached = state(made)
    other = trainer()
    other.fit(2)
    assert state(other) == reached


class Stop(train.Callback):
    def __init__(self, step):
        self.at = step

    def on_step_end(self, made):
        if made.step == self.at:
            made.stop()


def test_a_loader_without_a_position_skips_the_batches_it_had():
    batches = [digits().batch(slice(i, i + 16)) for i in range(0, 80, 16)]

    def made(*added):
        run = Run()
        return train.Trainer(run.model, batches, run.optimizer, callbacks=added)

    whole = made()
    whole.fit(2)
    stopped = made(Stop(7))
    stopped.fit(2)
    assert stopped.step == 7
    stopped.fit(2)
    assert digest(stopped.model.state_dict()) == digest(whole.model.state_dict())


def test_accumulated_gradients_are_those_of_the_large_batch():
    """80 images in batches of 32 (32, 32, 16), all three in one update; no batch normalisation, no dropout."""
    results = []
    for size, accumulate in ((80, 1), (32, 3), (16, 5)):
        fc.manual_seed(1)
        model = fc.nn.Sequential(fc.nn.Conv2d(1, 4, 3), fc.nn.ReLU(), fc.nn.Flatten(), fc.nn.Linear(144, 10)).double()
        x, y = digits().batch(slice(0, 80))
        loader = data.DataLoader(data.ArrayDataset(x, y), size)
        pairs = [(fc.Tensor(a.numpy().astype("f8")), b) for a, b in loader]
        made = train.Trainer(model, pairs, optim.SGD(model.parameters(), lr=0.1), accumulate=accumulate)
        history = made.fit(1)
        assert made.step == 1
        results.append((np.concatenate([p.numpy().ravel() for p in model.parameters()]), history[0].loss, history[0].accuracy))
    for weights, loss, accuracy in results[1:]:
        np.testing.assert_allclose(weights, results[0][0], rtol=0, atol=1e-15)
        assert loss == pytest.approx(results[0][1], rel=1e-14) and accuracy == results[0][2]


def test_clipping():
    def gradients(**options):
        run, seen = Run(), []
        step = run.optimizer.step
        run.optimizer.step = lambda: (seen.append([p.grad.numpy().copy() for p in run.model.parameters()]), step())
        trainer(run, **options, callbacks=[Stop(1)]).fit(1)
        return seen[0]

    plain = gradients()
    norm = np.sqrt(sum((g.astype("f8") ** 2).sum() for g in plain))
    for limited, limit in ((gradients(clip_norm=norm / 3), norm / 3), (gradients(clip_norm=norm * 2), norm)):
        assert np.sqrt(sum((g.astype("f8") ** 2).sum() for g in limited)) == pytest.approx(limit, rel=1e-5)
    for a, b in zip(gradients(clip_norm=norm * 2), plain, strict=True):
        np.testing.assert_array_equal(a, b)
    for a, b in zip(gradients(clip_value=0.01), plain, strict=True):
        np.testing.assert_array_equal(a, b.clip(-0.01, 0.01))


def test_schedule_every_epoch():
    run = Run()
    schedule = optim.lr_scheduler.StepLR(run.optimizer, 1, 0.5)
    history = trainer(run, schedule=schedule, schedule_every="epoch").fit(3)
    np.testing.assert_allclose(history.column("lr"), np.array([1, 0.5, 0.25]) * history[0].lr)


def test_metrics_of_the_validation():
    matrix = train.ConfusionMatrix()
    made = trainer(validation=digits(False, 40), metrics={"top3": train.TopK(3), "confusion": matrix})
    epoch = made.fit(2)[-1]
    assert list(epoch.metrics) == ["top3"] and epoch.figure("top3") >= epoch.figure("validation_accuracy")
    assert np.trace(matrix.compute()) / 40 == epoch.validation_accuracy and "top3" in str(epoch)
    assert made.evaluate().accuracy == epoch.validation_accuracy
    assert made.evaluate(digits(False, 20)).accuracy == train.evaluate(made.model, digits(False, 20)).accuracy
    with pytest.raises(ArgumentError, match="epoch 2 has no top5, only number, loss"):
        epoch.figure("top5")


def test_a_failed_step_changes_nothing():
    """A loss that is NaN in the fourth step: statistics, generator and loader go back; another call goes on from there."""
    values = iter([1, 1, 1, float("nan"), *[1] * 20])
    made = trainer(loss=lambda a, b: F.cross_entropy(a, b) * next(values))
    with pytest.raises(StateError, match="the loss is nan in epoch 1 after 48 images"):
        made.fit(2)
    assert made.step == 3
    made.fit(2)
    reached = state(made)
    other = trainer(loss=lambda a, b: F.cross_entropy(a, b) * 1)
    other.fit(2)
    assert state(other) == reached


def test_bad_arguments():
    for options, text in (
        ({"accumulate": 0}, "accumulate must be an int of at least 1, got 0"),
        ({"accumulate": True}, "accumulate must be"),
        ({"clip_norm": 0}, "clip_norm must be a finite number above 0 or None, got 0"),
        ({"clip_value": float("nan")}, "clip_value must be"),
        ({"schedule_every": "batch"}, "schedule_every must be 'step' or 'epoch'"),
        ({"progress": "dots"}, "progress must be"),
    ):
        with pytest.raises(ArgumentError, match=text):
            trainer(**options)
    with pytest.raises(DtypeError, match="a Callback or a function of an Epoch is needed"):
        trainer(callbacks=[train.Callback])
    for epochs in (-1, 1.5, True):
        with pytest.raises(ArgumentError, match="epochs must be"):
            trainer().fit(epochs)
    with pytest.raises(StateError, match="validation set is empty"):
        trainer(validation=data.Subset(digits(), [])).fit(1)


def test_a_checkpoint_of_another_run_is_refused(tmp_path):
    made = trainer()
    made.fit(1)
    made.save(tmp_path / "c")
    other = train.Trainer(net(), data.DataLoader(digits(), 8), optim.Adam(net().parameters()))
    before = digest(other.model.state_dict(), other.state_dict())
    with pytest.raises(StateError, match=r"load_checkpoint: (loader|optimizer) of "):
        other.load(tmp_path / "c")
    assert digest(other.model.state_dict(), other.state_dict()) == before


def test_plateau_gets_its_figure():
    run = Run()
    schedule = optim.lr_scheduler.ReduceLROnPlateau(run.optimizer, factor=0.5, patience=0, threshold=1e9)
    made = trainer(run, schedule=schedule, schedule_every="epoch", validation=digits(False, 40))
    history = made.fit(3)
    assert schedule.best == float("inf") or schedule.best == history[0].validation_loss
    np.testing.assert_allclose(history.column("lr"), np.array([1, 0.5, 0.25]) * history[0].lr)
    with pytest.raises(ArgumentError, match="ReduceLROnPlateau waits for figures of epochs; give schedule_every='epoch'"):
        trainer(Run(), schedule=schedule)
