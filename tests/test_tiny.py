"""tests.test_tiny: the whole library in a few seconds: one case of each op, and a net that learns. Run it first."""

from __future__ import annotations

import numpy as np
import pytest

import fastcnn as fc
import fastcnn.nn.functional as F
from fastcnn import nn, optim

from . import harness
from .cases import CASES
from .problems import PROBLEMS


@pytest.mark.parametrize("op", PROBLEMS)
def test_one_case_of_each_op(op):
    """The implementation that `auto` chooses, against the reference."""
    name = next(iter(CASES[op]))
    args = harness.arguments(op, CASES[op][name])
    chosen = harness.select.choose(op, args)
    assert harness.check(op, chosen, CASES[op][name], count=2)


def images(count, rng):
    """Bright bars on noise: label 0 lies, label 1 stands."""
    x = 0.3 * rng.standard_normal((count, 1, 12, 12), np.float32)
    labels = rng.integers(0, 2, count)
    for image, label, at in zip(x, labels, rng.integers(2, 10, count), strict=True):
        if label:
            image[0, :, at] += 1
        else:
            image[0, at] += 1
    return x, labels


def small_net():
    fc.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 3),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(16, 2),
    )


def trained(steps=25):
    rng = np.random.default_rng(0)
    model = small_net()
    optimizer = optim.SGD(model.parameters(), lr=0.2, momentum=0.9)
    losses = []
    for _ in range(steps):
        x, labels = images(32, rng)
        loss = F.cross_entropy(model(fc.tensor(x)), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return model, losses


def test_a_net_learns():
    model, losses = trained()
    assert np.mean(losses[-5:]) < 0.3 * losses[0]
    x, labels = images(200, np.random.default_rng(1))
    model.eval()
    with fc.no_grad():
        right = model(fc.tensor(x)).numpy().argmax(1) == labels
    assert right.mean() > 0.95


def test_training_gives_the_same_bits_for_every_thread_count():
    states = []
    for count in (1, 2, 3):
        fc.set_num_threads(count)
        states.append({name: p.tobytes() for name, p in ((n, t.numpy()) for n, t in trained(4)[0].state_dict().items())})
    assert states[0] == states[1] == states[2]


def test_state_moves_to_another_net():
    model, _ = trained(2)
    model.eval()
    x = fc.tensor(images(5, np.random.default_rng(2))[0])
    want = model(x).numpy()
    other = small_net()
    other.load_state_dict(model.state_dict())
    other.eval()
    np.testing.assert_array_equal(other(x).numpy(), want)
