"""tests.train.test_fit: the loop is the plain loop, its figures are true, and it stops where it must."""

import sys

import numpy as np
import pytest

import fastcnn as fc
import fastcnn.nn.functional as F
from fastcnn import data, nn, optim, train
from fastcnn.errors import ArgumentError, StateError


def small_digits(part=True, n=256):
    return data.Subset(data.digits(part, size=8), np.arange(n))


def net():
    fc.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(72, 10))


def loader(**options):
    return data.DataLoader(small_digits(), 32, shuffle=True, seed=3, **options)


def states(model):
    return {name: t.numpy().copy() for name, t in model.state_dict().items()}


def test_fit_is_the_plain_loop():
    model = net()
    optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    schedule = optim.lr_scheduler.LinearDecay(optimizer, 16)
    history = train.fit(model, loader(), optimizer, epochs=2, schedule=schedule)

    plain = net()
    optimizer = optim.SGD(plain.parameters(), lr=0.1, momentum=0.9)
    schedule = optim.lr_scheduler.LinearDecay(optimizer, 16)
    batches, losses = loader(), []
    for _ in range(2):
        for x, y in batches:
            loss = F.cross_entropy(plain(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
    for name, value in states(model).items():
        np.testing.assert_array_equal(value, states(plain)[name])
    assert history.column("number") == [1, 2]
    np.testing.assert_allclose(history.column("loss"), [np.mean(losses[:8]), np.mean(losses[8:])], rtol=1e-6)
    assert history[1].lr == pytest.approx(0.1 / 16) and history[1].seconds > 0


def test_it_learns_and_validates():
    model = net()
    held_out = small_digits(False, 100)
    optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    history = train.fit(model, loader(), optimizer, epochs=6, validation=held_out)
    assert history[-1].loss < 0.5 * history[0].loss and history[-1].validation_accuracy > 0.7
    checked = train.evaluate(model, held_out)
    assert (checked.accuracy, checked.loss) == (history[-1].validation_accuracy, history[-1].validation_loss)
    assert all(module.training for module in model.modules())
    assert history.as_dicts()[0]["accuracy"] == history[0].accuracy


def test_a_history_is_continued_and_a_callback_can_stop():
    model = net()
    optimizer = optim.SGD(model.parameters(), lr=0.01)
    seen = []
    history = train.fit(model, loader(), optimizer, epochs=1)
    train.fit(model, loader(), optimizer, epochs=5, history=history, callbacks=[seen.append, lambda epoch: epoch.number == 3])
    assert history.column("number") == [1, 2, 3] and [epoch.number for epoch in seen] == [2, 3]


def test_a_loss_that_is_not_finite_stops_before_the_update():
    model = net()
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    calls = []

    def loss(logits, y):
        calls.append(states(model))
        value = F.cross_entropy(logits, y)
        return value * float("nan") if len(calls) == 3 else value

    with pytest.raises(StateError, match=r"the loss is nan in epoch 1 after 64 images"):
        train.fit(model, loader(), optimizer, epochs=1, loss=loss)
    np.testing.assert_array_equal(states(model)["0.weight"], calls[2]["0.weight"])


def test_bad_arguments():
    model = net()
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    with pytest.raises(ArgumentError, match="epochs must be"):
        train.fit(model, loader(), optimizer, epochs=-1)
    with pytest.raises(ArgumentError, match="progress must be"):
        train.fit(model, loader(), optimizer, epochs=1, progress="dots")
    with pytest.raises(ArgumentError, match="gave no batch"):
        train.fit(model, data.DataLoader(small_digits(n=5), 8, drop_last=True), optimizer, epochs=1)
    assert len(train.fit(model, loader(), optimizer, epochs=0)) == 0


def test_evaluate_by_hand():
    class Fixed(nn.Module):
        def forward(self, x):
            logits = np.zeros((len(x.numpy()), 3), "f4")
            logits[:, 1] = 2
            return fc.Tensor(logits)

    dataset = data.ArrayDataset(np.zeros((5, 1, 2, 2), "f4"), [1, 1, 0, 2, 1])
    expected = train.Evaluation(0.6, np.log(2 + np.e**2) - 2 * 0.6)
    for given in (dataset, data.DataLoader(dataset, 2)):
        assert train.evaluate(Fixed(), given, batch_size=2) == pytest.approx(expected)
    with pytest.raises(ArgumentError, match="dataset is empty"):
        train.evaluate(Fixed(), data.Subset(dataset, []))


def test_evaluate_records_nothing_and_keeps_modes():
    model = net()
    model[1].eval()
    before = states(model)
    train.evaluate(model, small_digits(False, 20))
    assert [module.training for module in model] == [True, False, True, True, True, True]
    for name, value in states(model).items():
        np.testing.assert_array_equal(value, before[name])


@pytest.mark.parametrize("progress", [True, "lines", "bar"])
def test_progress_prints_every_epoch(progress, capsys):
    model = net()
    train.fit(
        model, loader(), optim.SGD(model.parameters(), lr=0.1), epochs=2, progress=progress, validation=small_digits(False, 20)
    )
    text = capsys.readouterr().out
    assert "epoch 1: " in text and "epoch 2: " in text and "validation accuracy" in text


def test_a_bar_without_rich_is_lines(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "rich.progress", None)
    model = net()
    train.fit(model, loader(), optim.SGD(model.parameters(), lr=0.1), epochs=1, progress="bar")
    assert capsys.readouterr().out.startswith("epoch 1: ")


def test_no_progress_prints_nothing(capsys):
    model = net()
    train.fit(model, loader(), optim.SGD(model.parameters(), lr=0.1), epochs=1)
    assert capsys.readouterr().out == ""
