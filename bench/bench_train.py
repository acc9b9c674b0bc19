"""bench.bench_train: one training step (forward, loss, backward, update) of small networks on a fixed batch."""

from __future__ import annotations

import numpy as np
import pytest

import fastcnn as fc
import fastcnn.nn.functional as F
from bench import peers
from fastcnn import models, optim

# name: (network, shape of one image, batch)
STEPS = {
    "LeNet-5": (models.lenet5, (1, 28, 28), 64),
    "small VGG": (models.vgg_small, (1, 28, 28), 128),
}
RATE, MOMENTUM = 0.01, 0.9


@pytest.mark.benchmark(group="train")
@pytest.mark.parametrize("name", STEPS)
def test_step(name, versus, smoke, with_peers):
    network, image, batch = STEPS[name]
    batch = 4 if smoke else batch
    rng = np.random.default_rng(0)
    x = rng.standard_normal((batch, *image), np.float32)
    y = rng.integers(0, 10, batch)
    fc.manual_seed(0)
    model = network(num_classes=10)
    others = peers.load("torch_peer").train_step(model, x, y, RATE, MOMENTUM) if with_peers else {}
    model.train()
    optimizer = optim.SGD(model.parameters(), lr=RATE, momentum=MOMENTUM)
    images = fc.tensor(x)

    def ours() -> float:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(images), y)
        loss.backward()
        optimizer.step()
        return float(loss.item())

    # The first two losses show that forward, backward and update are right: those of the peer, or at least falling.
    first, second = ours(), ours()
    for other in others.values():
        theirs = float(other()), float(other())
        assert np.allclose((first, second), theirs, rtol=1e-3), f"{name}: losses {(first, second)} instead of {theirs}"
    assert second < first, f"{name}: the loss rose from {first} to {second}"
    versus(ours, others, work={}, table="Training step", row=f"{name}, batch {batch}")
