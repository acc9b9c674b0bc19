"""tests.train.test_callbacks: early stop, best model, periodic checkpoints, averages, logs, curves."""

import csv
import json
import struct
import sys

import numpy as np
import pytest

import fastcnn as fc
from fastcnn import nn, train
from fastcnn.errors import ArgumentError, MissingExtraError, StateError

from .runs import Run, digest, digits


class Figures(train.Callback):
    """Gives epochs the losses of a list instead of their own, before the others see them."""

    order = -1

    def __init__(self, *losses):
        self.losses = losses

    def on_epoch_end(self, trainer, epoch):
        object.__setattr__(epoch, "validation_loss", self.losses[epoch.number - 1])


def trainer(*callbacks, **options):
    run = Run()
    made = train.Trainer(run.model, run.loader, run.optimizer, callbacks=callbacks, **options)
    made.run = run
    return made


@pytest.mark.parametrize(
    ("losses", "options", "epochs", "best"),
    [
        ([3, 2, 1, 1, 1, 1], {"patience": 2}, 5, 3),
        ([3, 2, 2.5, 1, 4, 4], {"patience": 2}, 6, 4),
        ([3, 2.75, 2.5, 2.25, 2.25, 2], {"patience": 3, "min_delta": 0.5}, 6, 4),
        ([3, 2.75, 2.5, 2.5, 1, 1], {"patience": 3, "min_delta": 0.5}, 4, 1),
        ([float("nan"), float("nan"), 1, 2, 2, 2], {"patience": 2}, 2, 0),
        ([1, 2, 3, 2, 2, 2], {"patience": 2, "mode": "max"}, 5, 3),
    ],
)
def test_early_stop(losses, options, epochs, best):
    stop = train.EarlyStop(**options)
    assert len(trainer(Figures(*losses), stop).fit(6)) == epochs and stop.best_epoch == best


def test_early_stop_puts_the_best_weights_back_and_stays_stopped(tmp_path):
    weights = {}

    def keep(epoch):
        weights[epoch.number] = digest(made.model.state_dict())

    stop = train.EarlyStop(patience=2, restore_best=True)
    made = trainer(Figures(3, 1, 2, 2, 0, 0), stop, keep, train.Checkpoint(tmp_path / "c"))
    made.fit(6)
    assert digest(made.model.state_dict()) == weights[2] and len(made.history) == 4
    other = trainer(Figures(3, 1, 2, 2, 0, 0), train.EarlyStop(patience=2, restore_best=True), train.Checkpoint(tmp_path / "d"))
    other.load(tmp_path / "c")
    assert digest(other.model.state_dict()) == weights[4]  # the checkpoint has the last weights
    assert len(other.fit(6)) == 4 and digest(other.model.state_dict()) == weights[2]


def test_best_model(tmp_path):
    best = train.BestModel(tmp_path / "m", "validation_loss")
    files = []
    made = trainer(Figures(3, 1, 2, 0.5, 0.7), best, lambda epoch: files.append((tmp_path / "m").read_bytes()))
    made.fit(5)
    assert files[1] == files[2] and files[3] == files[4] and len(set(files)) == 3
    assert fc.io.load_metadata(tmp_path / "m") == {"epoch": "4", "validation_loss": "0.5"}
    assert isinstance(fc.load(tmp_path / "m"), nn.Sequential)


def test_a_figure_that_is_not_there():
    with pytest.raises(ArgumentError, match="epoch 1 has no validation_loss, only number, loss, accuracy"):
        trainer(train.EarlyStop()).fit(1)
    with pytest.raises(ArgumentError, match="BestModel: mode must be"):
        train.BestModel("x", mode="best")
    with pytest.raises(ArgumentError, match="EarlyStop: patience must be"):
        train.EarlyStop(patience=0)
    with pytest.raises(ArgumentError, match="EarlyStop: min_delta must be"):
        train.EarlyStop(min_delta=float("nan"))
    with pytest.raises(ArgumentError, match="Checkpoint: every_steps must be"):
        train.Checkpoint("x", every_steps=0)


@pytest.mark.parametrize(
    ("options", "saves"),
    [
        ({}, [5, 10, 15]),
        ({"every_epochs": 2}, [10, 15]),
        ({"every_epochs": None, "every_steps": 4}, [4, 8, 12, 15]),
        ({"every_epochs": None}, [15]),
        ({"every_epochs": 3, "every_steps": 15}, [15, 15]),  # before and after the validation
    ],
)
def test_checkpoints_come_when_they_should(tmp_path, options, saves):
    made = trainer(train.Checkpoint(tmp_path / "c", **options))
    seen, save = [], made.save
    made.save = lambda path: (seen.append(made.step), save(path))
    made.fit(3)
    assert seen == saves


def test_no_checkpoint_after_an_error(tmp_path):
    def fail(epoch):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        trainer(fail, train.Checkpoint(tmp_path / "c")).fit(1)
    assert not (tmp_path / "c").exists()


def test_ema_is_its_formula_and_leaves_the_training_alone():
    ema = train.EMA(0.8)
    plain, made = trainer(), trainer(ema, validation=digits(False, 40))
    seen = []

    class Keep(train.Callback):
        def on_step_end(self, made):
            seen.append(made.model[0].weight.numpy().copy())

    made.callbacks.append(Keep())
    first = made.model[0].weight.numpy().astype("f8")
    history = made.fit(2)
    expected = first
    for n, weight in enumerate(seen, 1):
        d = min(0.8, (1 + n) / (10 + n))
        expected = d * expected + (1 - d) * weight
    np.testing.assert_allclose(ema.averages["0.weight"], expected, rtol=1e-5, atol=1e-7)
    trained = digest(made.model.state_dict())
    with ema:
        np.testing.assert_array_equal(made.model[0].weight.numpy(), ema.averages["0.weight"])
        assert train.evaluate(made.model, digits(False, 40)) == made_evaluation(history[-1])
        with pytest.raises(StateError, match="in the model already"):
            ema.__enter__()
    assert digest(made.model.state_dict()) == trained
    assert made.evaluate() == made_evaluation(history[-1]) != train.evaluate(made.model, digits(False, 40))
    fc.manual_seed(0)
    plain = trainer()
    plain.fit(2)
    assert digest(plain.model.state_dict()) == trained


def made_evaluation(epoch):
    return train.Evaluation(epoch.validation_accuracy, epoch.validation_loss)


def test_ema_misuse():
    with pytest.raises(ArgumentError, match="EMA: decay must be"):
        train.EMA(1.0)
    with pytest.raises(StateError, match="no training has begun"), train.EMA():
        pass
    ema = train.EMA()
    ema.load_state_dict({"updates": 1, "averages": {"0.weight": np.zeros(3)}})
    with pytest.raises(StateError, match="averages are those of another model"):
        trainer(ema).fit(1)


def test_csv_log(tmp_path):
    path = tmp_path / "log.csv"
    made = trainer(train.CSVLog(path), validation=digits(False, 40), metrics={"top2": train.TopK(2)})
    made.fit(3)
    rows = list(csv.DictReader(path.open()))
    assert [int(row["number"]) for row in rows] == [1, 2, 3]
    for row, epoch in zip(rows, made.history, strict=True):
        assert float(row["loss"]) == epoch.loss and float(row["top2"]) == epoch.metrics["top2"]
        assert float(row["validation_accuracy"]) == epoch.validation_accuracy


def read_lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_json_lines_log(tmp_path):
    made = trainer(train.JSONLinesLog(tmp_path / "log", every=2))
    made.fit(2)
    lines = read_lines(tmp_path / "log")
    assert [(row["step"], row.get("epoch")) for row in lines] == [
        (2, None),
        (4, None),
        (5, 1),
        (6, None),
        (8, None),
        (10, None),
        (10, 2),
    ]
    assert lines[2]["loss"] == made.history[0].loss and lines[2]["validation_loss"] is None
    trainer(train.JSONLinesLog(tmp_path / "log")).fit(1)
    assert [row["step"] for row in read_lines(tmp_path / "log")] == [5]  # a new run, a new file


def test_json_lines_log_of_a_resumed_run(tmp_path):
    made = trainer(train.JSONLinesLog(tmp_path / "log", every=1), train.Checkpoint(tmp_path / "c", every_epochs=1))
    made.fit(1)
    made.callbacks.pop()
    made.fit(2)  # lines that come after the checkpoint
    with open(tmp_path / "log", "a") as file:
        file.write('{"step": 3, "loss": \n5\n')  # and one that a kill has cut off
    other = trainer(train.JSONLinesLog(tmp_path / "log", every=1), train.Checkpoint(tmp_path / "c"))
    other.load(tmp_path / "c")
    other.fit(2)
    assert [row["step"] for row in read_lines(tmp_path / "log")] == [1, 2, 3, 4, 5, 5, 6, 7, 8, 9, 10, 10]


def records(path):
    """Yield the records of an event file, which are framed by their length and two checksums of 4 bytes."""
    content = path.read_bytes()
    while content:
        (length,) = struct.unpack("<Q", content[:8])
        yield content[12 : 12 + length]
        content = content[16 + length :]


def test_tensorboard_log(tmp_path):
    pytest.importorskip("tensorboard")
    made = trainer(train.TensorBoardLog(tmp_path / "tb", every=2), validation=digits(False, 40))
    made.fit(2)
    (file,) = (tmp_path / "tb").iterdir()
    text = b"".join(records(file))
    for name in (b"epoch/loss", b"epoch/validation_accuracy", b"step/lr"):
        assert name in text
    assert text.count(b"step/loss") == 5


def test_tensorboard_log_without_tensorboard(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboard.summary", None)
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'fastcnn\[tensorboard\]'"):
        train.TensorBoardLog("x")
    for every in (0, True, 1.5):
        with pytest.raises(ArgumentError, match="JSONLinesLog: every must be"):
            train.JSONLinesLog("x", every=every)


def test_learning_curve(tmp_path, monkeypatch):
    image = pytest.importorskip("PIL.Image")
    pytest.importorskip("matplotlib")
    trainer(train.LearningCurve(tmp_path / "c.png"), validation=digits(False, 40)).fit(2)
    with image.open(tmp_path / "c.png") as opened:
        assert opened.format == "PNG" and opened.size[0] > 500
        assert len(opened.convert("RGB").getcolors(1 << 20)) > 10
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'fastcnn\[plot\]'"):
        train.LearningCurve("c.png")


def test_every_method_of_a_callback_is_called_in_order():
    calls = []

    class All(train.Callback):
        def __getattribute__(self, name):
            if name.startswith("on_") or name == "close":
                calls.append(name)
            return super().__getattribute__(name)

        def on_step_end(self, trainer):
            calls.append("step")

        def on_epoch_end(self, trainer, epoch):
            calls.append(f"epoch {epoch.number}")

    trainer(All()).fit(2)
    calls = [name for name in calls if name not in ("on_step_end", "on_epoch_end")]
    assert calls == ["on_train_begin", *["step"] * 5, "epoch 1", *["step"] * 5, "epoch 2", "on_train_end", "close"]


def test_a_full_disk_ends_the_training_and_loses_nothing(tmp_path, monkeypatch):
    made = trainer(train.Checkpoint(tmp_path / "c", every_epochs=None, every_steps=3))
    fsync = fc.io.atomic.os.fsync

    def full(descriptor):
        if made.step == 6:
            raise OSError(28, "No space left on device")
        fsync(descriptor)

    monkeypatch.setattr(fc.io.atomic.os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        made.fit(3)
    monkeypatch.undo()
    assert train.load_checkpoint(tmp_path / "c", restore_rng=False)["run"]["step"] == 3 and made.step == 6
    made.fit(3)
    reached = made.run.digest()
    other = trainer()
    other.fit(3)
    assert other.run.digest() == reached
