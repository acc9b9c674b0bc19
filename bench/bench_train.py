"""bench.bench_train: one training step (forward, loss, backward, update) on a fixed batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest

import fastcnn as fc
import fastcnn.nn.functional as F
from bench import peers
from fastcnn import models, nn, optim


class Step(NamedTuple):
    """A network of fastcnn.models, the shape of one of its images, the images per step, the classes; whether it is captured."""

    network: str
    image: tuple[int, int, int]
    batch: int
    classes: int
    captured: bool = False

    def small(self) -> Step:
        """The same with a few small images, for smoke runs."""
        side = min(self.image[1], 64)
        return self._replace(image=(self.image[0], side, side), batch=4)


STEPS = {
    "LeNet-5": Step("lenet5", (1, 28, 28), 64, 10),
    "LeNet-5 captured": Step("lenet5", (1, 28, 28), 64, 10, True),
    "LeNet-5 in small steps": Step("lenet5", (1, 28, 28), 8, 10),
    "LeNet-5 in small steps captured": Step("lenet5", (1, 28, 28), 8, 10, True),
    "small VGG": Step("vgg_small", (1, 28, 28), 128, 10),
    "small VGG captured": Step("vgg_small", (1, 28, 28), 128, 10, True),
    "ResNet-20": Step("resnet20", (3, 32, 32), 128, 10),
    "ResNet-20 captured": Step("resnet20", (3, 32, 32), 128, 10, True),
    "VGG-16 (CIFAR form)": Step("vgg16_cifar", (3, 32, 32), 128, 10),
    "MobileNetV2": Step("mobilenet_v2", (3, 224, 224), 16, 1000),
    "MobileNetV2 captured": Step("mobilenet_v2", (3, 224, 224), 16, 1000, True),
    "ResNet-18": Step("resnet18", (3, 224, 224), 16, 1000),
    "ResNet-50": Step("resnet50", (3, 224, 224), 8, 1000),
    "ResNet-50 captured": Step("resnet50", (3, 224, 224), 8, 1000, True),
}
OPTIONS = {"lr": 1e-3, "momentum": 0.9, "weight_decay": 5e-4}


class Trainer:
    """Our training step; a call returns the loss."""

    def __init__(self, model: nn.Module, x: np.ndarray, y: np.ndarray, captured: bool = False):
        self.model, self.x, self.y = model.train(), fc.tensor(x), y
        self.optimizer = optim.SGD(model.parameters(), **OPTIONS)
        self.update = fc.capture(self._update) if captured else self._update
        self.dropout = {module: module.p for module in model.modules() if isinstance(module, nn.Dropout)}

    def set_dropout(self, p: float | None) -> None:
        """Set the probability of all dropout layers; None brings back what the network was made with."""
        for module, made_with in self.dropout.items():
            module.p = made_with if p is None else p

    def __call__(self) -> float:
        return float(self.update(self.x, self.y).item())

    def _update(self, x: fc.Tensor, y: np.ndarray) -> fc.Tensor:
        self.optimizer.zero_grad()
        loss = F.cross_entropy(self.model(x), y)
        loss.backward()
        self.optimizer.step()
        return loss


def weights(step) -> dict[str, np.ndarray]:
    """Return copies of the parameters by name, of ours or of a peer's step."""
    named = step.model.named_parameters() if isinstance(step, Trainer) else step.net.named_parameters()
    return {name: np.array(p.detach().numpy(), np.float64) for name, p in named}


def check_first_step(name: str, ours: Trainer, others: dict[str, Callable]) -> None:
    """Compare the loss of the first step and what it changes with the peers': forward, backward and update are right.

    Dropout is off meanwhile, for two libraries draw different numbers. The changes may differ by a tenth: in ResNet-50 with few
    pixels per batch-norm both libraries are 3 % away from float64.
    """
    found = {}
    for title, step in (("ours", ours), *others.items()):
        step.set_dropout(0.0)
        before, loss = weights(step), float(step())
        found[title] = loss, {key: value - before[key] for key, value in weights(step).items()}
        step.set_dropout(None)
    loss, changes = found.pop("ours")
    assert np.isfinite(loss) and all(np.isfinite(change).all() and change.any() for change in changes.values()), name
    for title, (their_loss, theirs) in found.items():
        if set(theirs) != set(changes):  # a chain of leaves has numbers for names, in the same order
            theirs = dict(zip(changes, theirs.values(), strict=True))
        distance = sum(((changes[key] - theirs[key]) ** 2).sum() for key in changes) ** 0.5
        distance /= sum((change**2).sum() for change in theirs.values()) ** 0.5
        assert np.isclose(loss, their_loss, rtol=1e-3), f"{name}: the loss is {loss}, that of {title} is {their_loss}"
        assert distance < 0.1, f"{name}: the step differs from that of {title} by {distance:.1%}"


@pytest.mark.benchmark(group="train")
@pytest.mark.parametrize("name", STEPS)
def test_step(name, versus, smoke, with_peers):
    step = STEPS[name].small() if smoke else STEPS[name]
    rng = np.random.default_rng(0)
    x = rng.standard_normal((step.batch, *step.image), np.float32)
    y = rng.integers(0, step.classes, step.batch)
    fc.manual_seed(0)
    model = getattr(models, step.network)(num_classes=step.classes)
    others = {}
    if with_peers:
        others = peers.load("torch_peer").train_step(model, step.network, step.classes, x, y, **OPTIONS)
    ours = Trainer(model, x, y, step.captured)
    check_first_step(name, ours, others)
    versus(ours, others, work={}, table="Training step", row=f"{name}, batch {STEPS[name].batch}", batch=step.batch)
