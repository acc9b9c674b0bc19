"""tests.data.test_mixing: MixUp and CutMix against their definitions, labels as probabilities and as pairs."""

import numpy as np
import pytest

from fastcnn import data
from fastcnn.errors import ArgumentError, DtypeError


def batch(n=8, c=3, h=9, w=6, dtype="f4"):
    rng = np.random.default_rng(0)
    return rng.random((n, c, h, w)).astype(dtype), rng.integers(0, 5, n)


BOTH = pytest.mark.parametrize("mixing", [data.MixUp, data.CutMix])


@BOTH
def test_pairs_and_probabilities_agree(mixing):
    x, y = batch()
    before = x.copy()
    a, (first, other, share) = mixing(0.7)(x, y, np.random.default_rng(3))
    b, soft = mixing(0.7, num_classes=5)(x, y, np.random.default_rng(3))
    np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(x, before)
    assert a.dtype == np.float32 and a.transpose(0, 2, 3, 1).flags.c_contiguous and 0 <= share <= 1
    np.testing.assert_array_equal(first, y)
    one_hot = np.eye(5)
    np.testing.assert_allclose(soft, share * one_hot[y] + (1 - share) * one_hot[other], atol=1e-6)
    np.testing.assert_allclose(soft.sum(1), 1, atol=1e-6)
    assert soft.dtype == np.float32 and sorted(other) == sorted(y)


def test_mixup_by_definition():
    x, y = batch(dtype="f8")
    mixed, (_, _, share) = data.MixUp(0.4)(x, y, np.random.default_rng(5))
    rng = np.random.default_rng(5)
    assert share == rng.beta(0.4, 0.4)
    np.testing.assert_allclose(mixed, share * x + (1 - share) * x[rng.permutation(len(x))], rtol=1e-12)


def test_cutmix_replaces_a_box_and_counts_its_pixels():
    x, y = batch()
    areas = []
    for seed in range(60):
        mixed, (_, _, share) = data.CutMix()(x, y, np.random.default_rng(seed))
        rng = np.random.default_rng(seed)
        rng.beta(1.0, 1.0)
        other = x[rng.permutation(len(x))]
        changed = (mixed != x).any(axis=(0, 1))
        assert changed.sum() == round((1 - share) * 54)
        if changed.any():
            rows, columns = np.nonzero(changed.any(1))[0], np.nonzero(changed.any(0))[0]
            box = (..., slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
            np.testing.assert_array_equal(mixed[box], other[box])
            assert changed[box].all()
        areas.append(changed.mean())
    assert 0.1 < np.mean(areas) < 0.5


@BOTH
def test_bad_options_and_batches(mixing):
    for options in ({"alpha": 0}, {"alpha": float("nan")}, {"num_classes": 0}, {"num_classes": 2.5}):
        with pytest.raises(ArgumentError, match=f"{mixing.__name__}: "):
            mixing(**options)
    x, y = batch()
    with pytest.raises(DtypeError, match="x must be floats, got uint8"):
        mixing()(x.astype("u1"), y, np.random.default_rng(0))
    with pytest.raises(ArgumentError, match="labels must lie between 0 and 2"):
        mixing(num_classes=3)(x, y, np.random.default_rng(0))
