"""tests.train.test_averaging: averages of weights are their formulas, leave the training alone, and resume exactly."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from fastcnn import data, nn, rng, train
from fastcnn.errors import ArgumentError, StateError

from .runs import Run, digest, digits, net


def moved(model, seed):
    """Move all weights and statistics of the model."""
    draw = np.random.default_rng(seed)
    for tensor in (*model.parameters(), *model.buffers()):
        if tensor.dtype.kind == "f":
            tensor.data[...] += draw.random(tensor.shape).astype(tensor.dtype)  # above 0: variances stay so
        else:
            tensor.data += 1
    return [tensor.data.astype("f8") for tensor in (*model.parameters(), *model.buffers())]


def tensors(model):
    return [tensor.data for tensor in (*model.parameters(), *model.buffers())]


@pytest.mark.parametrize("use_buffers", [False, True])
@pytest.mark.parametrize("kind", ["swa", "ema", "function"])
def test_averaged_model_is_its_formula(kind, use_buffers):
    options = {
        "swa": {},
        "ema": {"multi_avg_fn": train.get_ema_multi_avg_fn(0.75)},
        "function": {"avg_fn": lambda average, weight, n: average * 0.75 + weight * 0.25},
    }[kind]
    model = net().double()
    average = train.AveragedModel(model, use_buffers=use_buffers, **options)
    seen = []
    for n in range(5):
        seen.append(moved(model, n))
        average.update_parameters(model)
    count = len(list(model.parameters()))
    for i, got in enumerate(tensors(average.module)):
        if i < count or (use_buffers and got.dtype.kind == "f"):
            want = seen[0][i]
            for n in range(1, 5):
                want = want + (seen[n][i] - want) * (1 / (n + 1) if kind == "swa" else 0.25)
        else:
            want = seen[-1][i]
        np.testing.assert_allclose(got, want, rtol=1e-12)
    assert average.n_averaged.item() == 5
    again = train.AveragedModel(net().double())
    again.load_state_dict(average.state_dict())
    assert digest(again.state_dict()) == digest(average.state_dict())


def test_averaged_model_is_a_copy():
    model = net()
    average = train.AveragedModel(model).eval()
    before = tensors(average.module)[0].copy()
    moved(model, 0)
    assert np.array_equal(tensors(average.module)[0], before) and model.training
    x, _ = digits().batch(slice(0, 4))
    average.update_parameters(model)
    assert np.array_equal(average(x).numpy(), copy.deepcopy(model).eval()(x).numpy())
    with pytest.raises(StateError, match="AveragedModel: the parameters of the model are not those of the average"):
        average.update_parameters(nn.Linear(2, 2))
    with pytest.raises(ArgumentError, match="avg_fn and multi_avg_fn exclude each other"):
        train.AveragedModel(model, avg_fn=min, multi_avg_fn=min)
    for decay in (-0.1, 1.1, None, float("nan")):
        with pytest.raises(ArgumentError, match="get_ema_multi_avg_fn: decay must be between 0 and 1"):
            train.get_ema_multi_avg_fn(decay)


def test_update_bn():
    model = net(0.0)
    model[3].eval()
    batches = [digits().batch(slice(i, i + 16))[0] for i in range(0, 80, 16)]
    statistics = [model[0](x).numpy().astype("f8") for x in batches]
    for loader in (batches, [(x, None) for x in batches], data.DataLoader(digits(), 16)):
        moved(model[1], 0)
        train.update_bn(loader, model)
        np.testing.assert_allclose(model[1].running_mean.numpy(), np.mean([s.mean((0, 2, 3)) for s in statistics], 0), atol=1e-6)
        unbiased = np.mean([s.var((0, 2, 3), ddof=1) for s in statistics], 0)
        np.testing.assert_allclose(model[1].running_var.numpy(), unbiased, rtol=1e-5)
        assert model[1].momentum == 0.1 and model[1].training and not model[3].training
        assert model[1].num_batches_tracked.item() == 5
    with pytest.raises(ArgumentError, match="update_bn: the loader gave no batch"):
        train.update_bn([], model)
    train.update_bn([], nn.Linear(2, 2))


def trainer(*callbacks, **options):
    run = Run()
    made = train.Trainer(run.model, run.loader, run.optimizer, schedule=run.schedule, callbacks=callbacks, **options)
    made.run = run
    return made


class Keep(train.Callback):
    order = -1

    def __init__(self):
        self.epochs, self.steps = [], []

    def on_step_end(self, made):
        self.steps.append([t.data.astype("f8") for t in made.model.parameters()])

    def on_epoch_end(self, made, epoch):
        self.epochs.append(self.steps[-1])


@pytest.mark.parametrize("every_steps", [None, 2])
def test_swa_is_the_mean(every_steps):
    swa, keep = train.SWA(2, every_steps=every_steps), Keep()
    made = trainer(swa, keep, validation=digits(False, 40))
    history = made.fit(4)
    taken = keep.epochs[1:]
    if every_steps:  # 5 steps an epoch
        taken = [step for n, step in enumerate(keep.steps, 1) if n > 5 and (n % 2 == 0 or n % 5 == 0)]
    assert swa.updates == len(taken)
    for i, (name, _) in enumerate(made.model.named_parameters()):
        np.testing.assert_allclose(swa.averages[name], np.mean([t[i] for t in taken], 0), rtol=2e-4, atol=1e-6)
    trained = digest(made.run.digest())
    with swa:
        inside = copy.deepcopy(made.model)
        mean = made.model[1].running_mean.numpy().copy()
        assert swa.estimated
    assert digest(made.run.digest()) == trained
    train.update_bn(copy.copy(made.loader), inside)
    np.testing.assert_allclose(mean, inside[1].running_mean.numpy(), rtol=1e-5, atol=1e-6)
    plain = trainer(validation=digits(False, 40))
    other = plain.fit(4)
    assert digest(plain.run.digest()) == trained
    before = 1 if every_steps else 2  # epochs that validate with the weights themselves
    assert other.column("validation_loss")[:before] == history.column("validation_loss")[:before]
    assert other[-1].validation_loss != history[-1].validation_loss


@pytest.mark.parametrize("stop", [3, 8, 10, 13])
def test_swa_resumes_exactly(stop, tmp_path):
    def made():
        return trainer(train.SWA(2), train.EMA(0.9), validation=digits(False, 40))

    class Save(train.Callback):
        order = 99

        def on_step_end(self, trainer):
            if trainer.step == stop:
                trainer.save(tmp_path / "run")
                trainer.stop()

    def reached(trained):
        times = [{**row, "seconds": 0} for row in trained.history.as_dicts()]
        return digest(trained.run.digest(), times, [c.state_dict() for c in trained.callbacks[:2]])

    whole = made()
    whole.fit(4)
    first = made()
    first.callbacks.append(Save())
    first.fit(4)
    second = made()
    second.load(tmp_path / "run")
    second.fit(4)
    assert reached(second) == reached(whole)


def test_swa_without_estimation_and_misuse():
    swa = train.SWA(1, batches=0)
    trainer(swa).fit(2)
    with swa:
        assert not swa.estimated
    for options in ({"start": 0}, {"start": 1.5}, {"start": 1, "batches": -1}, {"start": 1, "every_steps": 0}):
        with pytest.raises(ArgumentError, match=r"SWA: (start|batches|every_steps) must be an int of at least"):
            train.SWA(**options)
    failing = train.SWA(1)
    made = trainer(failing)
    made.fit(1)
    failing._loader = iter(())
    state, generator = digest(made.model.state_dict()), rng.get_state()
    with pytest.raises(ArgumentError, match="update_bn: the loader gave no batch"), failing:
        pass
    assert digest(made.model.state_dict()) == state and rng.get_state() == generator
