"""tests.prune.test_choices: scores, allocation, plans, and which nets are refused."""

import numpy as np
import pytest

from fastcnn import nn, prune
from fastcnn.errors import ArgumentError
from fastcnn.prune.allocate import uniform
from fastcnn.prune.score import strongest


def net():
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(64, 6), nn.ReLU(), nn.Linear(6, 3)
    )


X = np.zeros((1, 1, 4, 4), "f4")


def test_scores_rank_filters_by_their_own_measure():
    model = net()
    weight = model[0].weight.data
    weight[...] = 0
    weight[0, 0, 0] = [1, 1, 1]  # l1 3, l2 1.7
    weight[1, 0, 0, 0] = 2  # l1 2, l2 2
    weight[2, 0, 0, 0] = -2.5  # l1 2.5, l2 2.5
    model[1].weight.data[...] = [0.1, -3, 0.2, 1]
    plans = {
        score: prune.plan(model, X, 0.5, score=score, kinds=["conv2d"])["0"].tolist() for score in ("l1", "l2", "batch_norm")
    }
    assert plans == {"l1": [0, 2], "l2": [1, 2], "batch_norm": [1, 3]}
    own = prune.plan(model, X, 0.5, score=lambda layer, arrays: np.arange(layer.width), kinds=["conv2d"])
    assert own["0"].tolist() == [2, 3]


def test_equal_scores_keep_the_first():
    assert strongest(np.array([1.0, 2.0, 1.0, 1.0]), 3).tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("width", "fraction", "multiple", "kept"),
    [
        (16, 0.5, 1, 8),
        (10, 0.7, 1, 3),
        (5, 0.5, 1, 3),
        (3, 0.9, 1, 1),
        (6, 0.0, 1, 6),
        (64, 0.5, 16, 32),
        (48, 0.5, 16, 32),
        (40, 0.9, 16, 16),
        (12, 0.5, 16, 12),
        (20, 0.0, 16, 16),
    ],
)
def test_uniform_allocation(width, fraction, multiple, kept):
    assert uniform({"a": width}, fraction, multiple) == {"a": kept}


def test_kinds_and_skipped_layers():
    assert {name: len(kept) for name, kept in prune.plan(net(), X, 0.5).items()} == {"0": 2, "4": 3}
    assert list(prune.plan(net(), X, 0.5, kinds=["linear"])) == ["4"]
    assert list(prune.plan(net(), X, 0.5, skip=["0"])) == ["4"]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"fraction": 1.0}, "below 1"),
        ({"fraction": -0.1}, "at least 0"),
        ({"multiple": 0}, "multiple must be"),
        ({"score": "magic"}, "score must be one of l1, l2, batch_norm"),
        ({"score": "batch_norm"}, "needs a batch-norm with a scale after '4'"),
        ({"kinds": ["conv3d"]}, "unknown kinds"),
        ({"skip": ["17"]}, "layers to skip: 17"),
    ],
)
def test_bad_options(options, text):
    with pytest.raises(ArgumentError, match=text):
        prune.filters(net(), X, **options)


class Residual(nn.Module):
    def __init__(self):
        self.a, self.b = nn.Conv2d(1, 1, 3, padding=1), nn.Conv2d(1, 1, 3, padding=1)

    def forward(self, x):
        return self.b(self.a(x)) + x


class Twice(nn.Module):
    def __init__(self):
        self.a = nn.Conv2d(1, 1, 3, padding=1)

    def forward(self, x):
        return self.a(self.a(x))


@pytest.mark.parametrize(
    ("model", "text"),
    [
        (Residual(), r"op 2 'add' joins or branches"),
        (Twice(), r"the layer 'a' is used twice"),
        (nn.Sequential(nn.Conv2d(1, 2, 1), nn.Softmax(), nn.Conv2d(2, 2, 1)), r"op 1 'softmax' is not one of"),
        (nn.Sequential(nn.Conv2d(1, 2, 1), nn.Conv2d(2, 2, 1, groups=2)), r"op 1 'conv2d' \(1\) has groups=2"),
        (nn.Sequential(nn.Conv2d(1, 2, 1), nn.Linear(4, 3)), r"flatten its input"),
        (nn.Sequential(nn.Conv2d(1, 2, 1), nn.Flatten(2), nn.Linear(16, 3)), r"must flatten all axes but the first"),
        (nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2, track_running_stats=False)), r"normalises by its batch"),
        (nn.Sequential(nn.Flatten()), r"no convolution and no linear layer"),
    ],
)
def test_nets_that_cannot_be_pruned(model, text):
    with pytest.raises(ArgumentError, match=text):
        prune.filters(model, X)
