"""tests.models.test_models: parameter counts, names, output shapes, and that they learn."""

from __future__ import annotations

import numpy as np
import pytest

import fastcnn.nn.functional as F
from fastcnn import manual_seed, models, nn, no_grad, optim

# Parameters with the published sizes; the first and last names of the state dict.
ROWS = {
    "lenet5": (61_706, "features.0.weight", "classifier.4.bias"),
    "vgg_small": (140_458, "features.0.weight", "classifier.bias"),
    "vgg16_cifar": (15_245_130, "features.0.weight", "classifier.6.bias"),
    "resnet20": (272_474, "conv1.weight", "fc.bias"),
    "resnet18": (11_689_512, "conv1.weight", "fc.bias"),
    "resnet50": (25_557_032, "conv1.weight", "fc.bias"),
    "mobilenet_v2": (3_504_872, "features.0.0.weight", "classifier.1.bias"),
}


@pytest.mark.parametrize("name", ROWS)
def test_parameters(name):
    model = getattr(models, name)()
    count, first, last = ROWS[name]
    keys = list(model.state_dict())
    assert sum(p.size for p in model.parameters()) == count and (keys[0], keys[-1]) == (first, last)


def test_every_model_is_in_the_table():
    functions = {name for name in models.__all__ if name.islower()}
    assert functions - {"vgg16"} == set(ROWS)  # vgg16 takes half a gigabyte; its parts are those of vgg16_cifar


@pytest.mark.parametrize(
    ("make", "shape"),
    [
        (lambda: models.lenet5(7), (2, 1, 28, 28)),
        (lambda: models.vgg_small(7, 3), (2, 3, 8, 8)),
        (lambda: models.vgg_small(7, cfg=(4, "M", 6)), (2, 1, 6, 6)),
        (lambda: models.vgg16_cifar(7, 1, True, cfg=(8, "M", 8, "M", 16)), (2, 1, 8, 8)),
        (lambda: models.ResNet(models.resnet.BasicBlock, (1, 1), 7, width=4), (2, 3, 16, 16)),
        (lambda: models.ResNet(models.resnet.Bottleneck, (1, 2), 7, width=4, imagenet_stem=False), (2, 3, 8, 8)),
        (lambda: models.mobilenet_v2(7, 3, width_mult=0.1), (2, 3, 32, 32)),
    ],
)
def test_forward_and_backward(make, shape):
    model = make()
    y = model(np.random.default_rng(0).standard_normal(shape).astype(np.float32))
    assert y.shape == (2, 7)
    y.sum().backward()
    assert all(p.grad is not None and np.isfinite(p.grad.data).all() for p in model.parameters())


def test_empty_batch_in_evaluation():
    assert models.lenet5().eval()(np.zeros((0, 1, 28, 28), np.float32)).shape == (0, 10)


def test_lenet_overfits_a_tiny_batch():
    manual_seed(0)
    rng = np.random.default_rng(0)
    x, target = rng.standard_normal((8, 1, 28, 28)).astype(np.float32), np.arange(8)
    model = models.lenet5()
    optimizer = optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    first = None
    for _ in range(60):
        loss = F.cross_entropy(model(x), target)
        first = first or loss.item()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with no_grad():
        right = (model.eval()(x).argmax(1) == target).sum().item()
    assert right == 8 and loss.item() < 0.05 < first


def test_the_seed_repeats_training():
    def trained():
        manual_seed(3)
        model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.3), nn.Flatten(), nn.Linear(64, 3))
        optimizer = optim.Adam(model.parameters(), lr=0.01)
        x = np.random.default_rng(0).standard_normal((6, 1, 6, 6)).astype(np.float32)
        for _ in range(3):
            optimizer.zero_grad()
            F.cross_entropy(model(x), [0, 1, 2, 0, 1, 2]).backward()
            optimizer.step()
        return [value.data for value in model.state_dict().values()]

    assert all(np.array_equal(a, b) for a, b in zip(trained(), trained(), strict=True))
