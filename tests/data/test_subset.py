"""tests.data.test_subset: parts of data sets, several as one, random splits."""

import numpy as np
import pytest

from fastcnn import data
from fastcnn.errors import ArgumentError, DtypeError, ShapeError


def dataset(n=10, dtype="u1", start=0, shape=(3, 5, 4), **options):
    rng = np.random.default_rng(n)
    return data.ArrayDataset(rng.integers(0, 256, (n, *shape)).astype(dtype), start + np.arange(n) % 7, **options)


def test_item_and_subset_agree():
    stored = dataset()
    part = data.Subset(stored, [4, 2, 2])
    x, y = part[1]
    np.testing.assert_array_equal(x, stored[2][0])
    assert y == stored[2][1] == 2
    np.testing.assert_array_equal(part.batch(slice(0, 2))[0], stored.batch(np.array([4, 2]))[0])
    assert part.shape == stored.shape and part.normalize is None
    assert part.labels.tolist() == [4, 2, 2] and len(part) == 3


def test_random_split_is_disjoint_complete_and_fixed_by_the_seed():
    stored = dataset(100)
    a, b, c = data.random_split(stored, [0.5, 0.3, 0.2], seed=3)
    assert [len(part) for part in (a, b, c)] == [50, 30, 20]
    assert sorted(np.concatenate([a.indices, b.indices, c.indices])) == list(range(100))
    assert a.indices.tolist() == data.random_split(stored, [50, 50], seed=3)[0].indices.tolist()
    assert a.indices.tolist() != data.random_split(stored, [50, 50], seed=4)[0].indices.tolist()


def test_bad_splits_and_subsets():
    stored = dataset()
    for parts in ([3, 3], [-1, 11], [0.5, 0.6], [-0.5, 1.5], []):
        with pytest.raises(ArgumentError):
            data.random_split(stored, parts)
    with pytest.raises(ArgumentError, match="between 0 and 9"):
        data.Subset(stored, [10])
    with pytest.raises(DtypeError, match="1-D array of ints"):
        data.Subset(stored, [0.5])
    with pytest.raises(DtypeError, match="must be an ImageDataset, got list"):
        data.Subset([1, 2], [0])


@pytest.mark.parametrize("dtype", ["u1", "f4"])
def test_concat_is_one_after_the_other(dtype):
    normalize = data.Normalize([0.1, 0.2, 0.3], 0.5)
    parts = [dataset(n, dtype, start, normalize=normalize) for n, start in ((4, 0), (0, 0), (6, 7), (3, 20))]
    parts[2] = data.Subset(parts[2], [5, 0, 1])
    both = data.ConcatDataset(parts)
    wanted = np.concatenate([part.batch(slice(None))[0] for part in parts])
    assert len(both) == 10 and both.labels.tolist() == [label for part in parts for label in part.labels]
    for index in (slice(None), slice(2, 9, 3), np.array([9, 0, 4, 4, 3]), np.array([-1, 5]), np.array([], int)):
        x, y = both.batch(index)
        np.testing.assert_array_equal(x, wanted[index])
        np.testing.assert_array_equal(y, both.labels[index])
        assert x.transpose(0, 2, 3, 1).flags.c_contiguous and x.dtype == np.float32
    np.testing.assert_array_equal(both[4][0], wanted[4])
    with pytest.raises(IndexError):
        both.batch(np.array([10]))


def test_concat_of_sets_that_do_not_fit():
    first = dataset(normalize=data.Normalize(0, 1))
    for other, error, text in (
        (dataset(shape=(1, 5, 4)), ShapeError, r"set 1 are \(1, 5, 4\), those of set 0 \(3, 5, 4\)"),
        (dataset(dtype="f4"), DtypeError, "stored as float32, those of set 0 as uint8"),
        (dataset(normalize=data.Normalize(0, 2)), ArgumentError, "set 1 is normalised otherwise"),
    ):
        with pytest.raises(error, match=text):
            data.ConcatDataset([first, other])
    with pytest.raises(ArgumentError, match="must not be empty"):
        data.ConcatDataset([])
