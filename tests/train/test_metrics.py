"""tests.train.test_metrics: figures over batches equal their definition over all samples."""

import numpy as np
import pytest

import fastcnn as fc
import fastcnn.nn.functional as F
from fastcnn import train
from fastcnn.errors import ArgumentError, ShapeError


def sample(n=200, classes=7, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(-3, 4, (n, classes)).astype("f4"), rng.integers(0, classes, n)  # small integers: many ties


def batches(logits, y, size=33):
    return [(fc.Tensor(logits[i : i + size]), y[i : i + size]) for i in range(0, len(y), size)]


def over(metric, logits, y):
    for batch in batches(logits, y):
        metric.update(*batch)
    return metric.compute()


def test_accuracy_and_loss():
    logits, y = sample()
    assert over(train.Accuracy(), logits, y) == np.mean(logits.argmax(1) == y)
    assert over(train.Loss(), logits, y) == pytest.approx(F.cross_entropy(logits, y).item(), rel=1e-6)
    half = over(train.Loss(lambda a, b: F.cross_entropy(a, b) * 0.5), logits, y)
    assert half == pytest.approx(F.cross_entropy(logits, y).item() / 2, rel=1e-6)


@pytest.mark.parametrize("k", [1, 2, 5, 7, 9])
def test_top_k(k):
    logits, y = sample()
    order = np.argsort(-logits, axis=1, kind="stable")[:, :k]
    assert over(train.TopK(k), logits, y) == np.mean((order == y[:, None]).any(1))
    if k == 1:
        assert over(train.TopK(k), logits, y) == over(train.Accuracy(), logits, y)


def test_top_k_does_not_count_what_is_not_a_number():
    logits = np.full((3, 4), np.nan, "f4")
    logits[1, 2] = 1
    assert over(train.TopK(2), logits, np.array([2, 2, 0])) == 0


def test_confusion_matrix():
    logits, y = sample()
    expected = np.zeros((7, 7), int)
    for label, predicted in zip(y, logits.argmax(1), strict=True):
        expected[label, predicted] += 1
    metric = train.ConfusionMatrix()
    np.testing.assert_array_equal(over(metric, logits, y), expected)
    metric.reset()
    assert metric.compute().size == 0
    with pytest.raises(ShapeError, match="7 classes, got logits of 7 and labels up to 9"):
        metric.update(logits[:2], np.array([9, 1]))
    metric.update(logits[:2], y[:2])
    with pytest.raises(ShapeError, match="7 classes, got logits of 6"):
        metric.update(logits[:2, :6], y[:2] * 0)


def test_shares_of_mixed_images_count_for_their_largest():
    logits, y = sample()
    shares = np.full((200, 7), 0.1, "f4")
    shares[np.arange(200), y] = 0.4
    for metric in (train.Accuracy(), train.TopK(3), train.ConfusionMatrix()):
        first = over(metric, logits, y)
        metric.reset()
        np.testing.assert_array_equal(over(metric, logits, shares), first)


@pytest.mark.parametrize("metric", [train.Accuracy, train.TopK, train.Loss])
def test_before_the_first_sample(metric):
    made = metric()
    assert np.isnan(made.compute())
    made.update(*sample(5))
    made.reset()
    assert made.count == 0 and np.isnan(made.compute())


def test_what_does_not_fit():
    for metric in (train.Accuracy(), train.TopK(), train.ConfusionMatrix()):
        for logits, y in (
            (np.zeros((2, 3)), np.zeros(3, int)),
            (np.zeros(3), np.zeros(3, int)),
            (np.zeros((2, 3)), np.zeros((2, 2))),
        ):
            with pytest.raises(ShapeError, match=rf"^{type(metric).__name__}: logits must be"):
                metric.update(logits, y)
    for k in (0, 1.5, True, None):
        with pytest.raises(ArgumentError, match="TopK: k must be"):
            train.TopK(k)


def test_evaluate_fills_further_metrics():
    class Echo(fc.nn.Module):
        def forward(self, x):
            return x.reshape(x.shape[0], 7)

    logits, y = sample()
    dataset = fc.data.ArrayDataset(logits.reshape(200, 7, 1, 1), y)
    top, matrix = train.TopK(3), train.ConfusionMatrix()
    top.update(logits, y)  # is reset
    result = train.evaluate(Echo(), dataset, metrics=[top, matrix], loss=lambda a, b: F.cross_entropy(a, b) * 2)
    assert result.accuracy == np.trace(matrix.compute()) / 200 and matrix.compute().sum() == 200 and top.count == 200
    assert result.loss == pytest.approx(2 * F.cross_entropy(logits, y).item(), rel=1e-6)
