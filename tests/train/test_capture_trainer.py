"""tests.train.test_capture_trainer: the Trainer with captured steps: the bits, errors and resumed runs as without; evaluation."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import fastcnn as fc
from fastcnn import nn, train
from fastcnn.errors import CaptureWarning, StateError

from .runs import RECIPES, Run, digest

OPTIONS = {
    "plain": {},
    "limits": {"clip_norm": 0.5, "clip_value": 0.05},
    "accumulate": {"accumulate": 2},
    "averages": {"average": True},
}


def fitted(capture, recipe="sgd", epochs=3, **options):
    """Return history, a digest of all state, and the Trainer."""
    run = Run(recipe)
    options["callbacks"] = [train.EMA(0.9)] if options.pop("average", False) else []
    trainer = train.Trainer(run.model, run.loader, run.optimizer, schedule=run.schedule, capture=capture, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("error", CaptureWarning)
        history = trainer.fit(epochs)
    figures = [{**epoch, "seconds": 0} for epoch in history.as_dicts()]
    averages = trainer.average.state_dict() if trainer.average else None
    return digest(figures, averages), run.digest(), trainer


@pytest.mark.parametrize("name", OPTIONS)
def test_the_same_bits(name):
    found = [fitted(captured, **OPTIONS[name])[:2] for captured in (False, True)]
    assert found[0] == found[1]


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_resumed_run(recipe, tmp_path):
    want = fitted(False, recipe, epochs=4)[:2]
    trainer = fitted(True, recipe, epochs=2)[2]
    trainer.save(tmp_path / "run.safetensors")
    run = Run(recipe)
    again = train.Trainer(run.model, run.loader, run.optimizer, schedule=run.schedule, capture=True)
    again.load(tmp_path / "run.safetensors")
    history = again.fit(4)
    assert (digest([{**epoch, "seconds": 0} for epoch in history.as_dicts()], None), run.digest()) == want
    trainer.load(tmp_path / "run.safetensors")  # into a net whose steps are recorded already
    trainer.fit(4)
    assert digest(trainer.model.state_dict()) == digest(run.model.state_dict())


def test_a_loss_that_is_not_finite():
    run = Run()
    trainer = train.Trainer(run.model, run.loader, run.optimizer, capture=True)
    trainer.fit(2)
    before = digest(run.model.state_dict(), run.optimizer.state_dict())
    with fc.no_grad():
        kept = run.model.get_submodule("6").bias.data.copy()
        run.model.get_submodule("6").bias.data[0] = np.nan
    with pytest.raises(StateError, match=r"^fit: the loss is nan in epoch 3 after 0 images"):
        trainer.fit(3)
    run.model.get_submodule("6").bias.data[...] = kept
    assert digest(run.model.state_dict(), run.optimizer.state_dict()) == before


def test_a_loss_that_cannot_be_captured():
    runs = []
    for capture in (False, True):
        run = Run()
        trainer = train.Trainer(run.model, run.loader, run.optimizer, capture=capture, loss=lambda x, y: x[x > -np.inf].mean())
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always", CaptureWarning)
            trainer.fit(2)
        texts = [str(w.message) for w in seen if w.category is CaptureWarning]
        assert len(texts) == capture and all("because of getitem by a mask" in text for text in texts)
        runs.append(run.digest())
        report = trainer.capture_report()
        assert set(report) == ({"gradients", "update"} if capture else set())
        if capture:
            assert any("mask" in reason for reason in report["gradients"].reasons)
            assert report["gradients"].replayed == 0 and report["update"].calls == trainer.step
    assert runs[0] == runs[1]


def test_evaluation_without_gradients():
    model = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3)).eval()

    @fc.capture
    @fc.no_grad()
    def predict(x):
        return {"logits": model(x), "x": [x]}

    for i in range(4):
        x = np.full((2, 4), i, np.float32)
        found = predict(x)
        assert np.array_equal(found["logits"].data, model(x).data) and np.array_equal(found["x"][0], x)
    assert predict.report().replayed == 2
