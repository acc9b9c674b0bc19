"""tests.optim.test_range_test: the loss at rising rates, written out; everything is put back."""

from __future__ import annotations

import copy
import sys

import numpy as np
import pytest

import fastcnn as fc
from fastcnn import Tensor, data, nn, optim, rng
from fastcnn.errors import ArgumentError, MissingExtraError


def bowl(scale=1.0):
    """A model of one weight w, loss scale * w^2 / 2."""
    model = nn.Linear(1, 1, bias=False).double()
    model.weight.data[...] = 2.0
    return model, [(Tensor(np.ones((1, 1))), None)], lambda y, _: (y * y).sum() * (scale / 2)


def test_is_gradient_descent_at_rising_rates():
    model, loader, loss = bowl()
    test = optim.lr_range_test(
        model, optim.SGD(model.parameters(), lr=0.5), loader, loss, lowest=1e-3, highest=1.0, steps=7, smoothing=0.5
    )
    w, average = 2.0, 0.0
    for i, lr in enumerate(np.geomspace(1e-3, 1.0, 7)):
        average = 0.5 * average + 0.5 * w * w / 2
        assert test.lrs[i] == pytest.approx(lr) and test.losses[i] == pytest.approx(w * w / 2)
        assert test.smoothed[i] == pytest.approx(average / (1 - 0.5 ** (i + 1)))
        w -= lr * w
    assert not test.diverged and test.highest == 1.0 and "reached the end; suggestion" in str(test)
    slope = np.gradient(test.smoothed, np.log(test.lrs))
    assert test.suggestion == test.lrs[int(np.argmin(slope))]


def test_divergence_ends_it():
    model, loader, loss = bowl()
    options = {"lowest": 1e-2, "highest": 1e3, "steps": 50, "smoothing": 0.0}
    test = optim.lr_range_test(model, optim.SGD(model.parameters()), loader, loss, **options)
    assert test.diverged and len(test.lrs) < 50 and 0.1 < test.suggestion < test.highest < 10
    assert model.weight.item() == 2.0
    options["divergence"] = 1e300
    test = optim.lr_range_test(
        *(model, optim.SGD(model.parameters()), loader, loss), **{**options, "steps": 400, "highest": 1e30}
    )
    assert test.diverged and np.isfinite(test.losses).all()


def test_groups_keep_their_proportions():
    model, loader, loss = bowl()
    other = Tensor([1.0], requires_grad=True)
    optimizer = optim.SGD([{"params": [model.weight], "lr": 0.1}, {"params": [other], "lr": 0.3}])
    seen = []
    step = optimizer.step
    optimizer.step = lambda: (seen.append([group["lr"] for group in optimizer.param_groups]), step())
    optim.lr_range_test(model, optimizer, loader, loss, steps=3, highest=0.1)
    assert [b / a for a, b in seen] == pytest.approx([3, 3, 3]) and seen[-1][0] == pytest.approx(0.1)
    assert [group["lr"] for group in optimizer.param_groups] == [0.1, 0.3]


def everything(model, optimizer, loader):
    tensors = [*model.parameters(), *model.buffers()]
    state = copy.deepcopy(optimizer.state_dict())
    arrays = [s[key] for s in state["state"].values() for key in sorted(s)]
    grads = [None if t.grad is None else t.grad.data.tobytes() for t in tensors]
    bits = [t.data.tobytes() for t in tensors], [np.asarray(a).tobytes() for a in arrays], grads
    return bits, state["param_groups"], rng.get_state(), loader.state_dict(), [m.training for m in model.modules()]


@pytest.mark.parametrize("make", [optim.AdamW, lambda p: optim.SGD(p, lr=0.1, momentum=0.9)])
@pytest.mark.parametrize("fails", [False, True])
def test_everything_is_put_back(make, fails):
    fc.manual_seed(0)
    layers = nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Dropout(0.3), nn.Flatten(), nn.Linear(108, 10)
    model = nn.Sequential(*layers)
    optimizer = make(model.parameters())
    loader = data.DataLoader(data.Subset(data.digits(size=8), range(64)), 16, shuffle=True)
    batches = iter(loader)
    calls = []

    def loss(y, target):
        calls.append(1)
        if fails and len(calls) == 8:
            raise ZeroDivisionError
        return nn.functional.cross_entropy(y, target)

    for _ in range(2):
        loss(model(next(batches)[0]), np.zeros(16, np.int64)).backward()
        optimizer.step()
    model[3].eval()
    before = everything(model, optimizer, loader)
    if fails:
        with pytest.raises(ZeroDivisionError):
            optim.lr_range_test(model, optimizer, loader, loss, steps=20)
    else:
        test = optim.lr_range_test(model, optimizer, loader, loss, steps=20, highest=0.1)
        again = optim.lr_range_test(model, optimizer, loader, loss, steps=20, highest=0.1)
        assert test == again and len(test.lrs) == 20
    assert everything(model, optimizer, loader) == before
    next(batches)
    assert loader.state_dict()["position"] == 48


def test_plot(monkeypatch):
    test = optim.RangeTest([0.1, 0.2, 0.4], [3.0, 2.0, 5.0], [3.0, 2.5, 4.0], True)
    if pytest.importorskip("matplotlib", reason="the extra 'plot' is not installed"):
        axes = test.plot().axes[0]
        assert axes.get_xlabel() == "learning rate" and len(axes.lines) == 3
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingExtraError, match=r"RangeTest.plot needs matplotlib, from the extra 'plot'"):
        test.plot()


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"lowest": 0.0}, "0 < lowest < highest and smoothing < 1 are needed, got 0.0, 10.0 and 0.9"),
        ({"lowest": 20.0}, "0 < lowest < highest"),
        ({"smoothing": 1.0}, "0 < lowest < highest and smoothing < 1"),
        ({"steps": 1}, "steps must be an int of at least 2, got 1"),
        ({"divergence": 0.5}, "divergence must be a finite number of at least 1, got 0.5"),
        ({"loader": []}, "the loader gave no batch"),
        ({"loss": lambda y, _: y.sum() * float("nan")}, "the loss of the first batch is not finite"),
    ],
)
def test_bad_arguments(options, text):
    model, loader, loss = bowl()
    with pytest.raises(ArgumentError, match=f"^lr_range_test: {text}"):
        optim.lr_range_test(model, optim.SGD(model.parameters()), **{"loader": loader, "loss": loss, **options})
