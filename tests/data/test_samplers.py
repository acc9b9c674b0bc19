"""tests.data.test_samplers: orders and batches of an epoch, alone and in the loader."""

import numpy as np
import pytest

from fastcnn import data
from fastcnn.errors import ArgumentError, DtypeError, StateError


def dataset(n=20):
    return data.ArrayDataset(np.arange(n * 4, dtype="f4").reshape(n, 1, 2, 2), np.arange(n))


def labels(loader):
    return [y.tolist() for _, y in loader]


def rng(seed=0):
    return np.random.default_rng(seed)


def test_orders():
    stored = dataset()
    assert data.SequentialSampler(stored).order(rng()).tolist() == list(range(20))
    assert sorted(data.RandomSampler(stored).order(rng())) == list(range(20))
    assert len(set(data.RandomSampler(stored, num_samples=7).order(rng()))) == 7
    drawn = data.RandomSampler(stored, replacement=True, num_samples=100).order(rng())
    assert len(drawn) == 100 and set(drawn) <= set(range(20))
    assert sorted(data.SubsetRandomSampler([3, 1, 4]).order(rng())) == [1, 3, 4]


@pytest.mark.parametrize("replacement", [True, False])
def test_weights_are_kept(replacement):
    weights = np.array([0, 1, 2, 3, 0, 4, 0])
    if replacement:
        drawn = data.WeightedRandomSampler(weights, 20000).order(rng())
        first = drawn
    else:
        orders = np.array([data.WeightedRandomSampler(weights, 4, False).order(rng(i)) for i in range(4000)])
        assert all(sorted(order) == [1, 2, 3, 5] for order in orders)
        first = orders[:, 0]
    np.testing.assert_allclose(np.bincount(first, minlength=7) / len(first), weights / 10, atol=0.03)
    assert (np.bincount(first, minlength=7)[weights == 0] == 0).all()


def test_in_the_loader_the_order_depends_on_seed_and_epoch():
    stored = dataset()
    loader = data.DataLoader(stored, 6, sampler=data.WeightedRandomSampler(np.arange(20), 15), seed=4)
    first, second = labels(loader), labels(loader)
    assert [len(batch) for batch in first] == [6, 6, 3] and len(loader) == 3 and first != second
    again = data.DataLoader(stored, 6, sampler=data.WeightedRandomSampler(np.arange(20), 15), seed=4, num_workers=2)
    assert [labels(again), labels(again)] == [first, second]
    fixed = data.DataLoader(stored, 2, sampler=[5, 3, 8])
    assert labels(fixed) == labels(fixed) == [[5, 3], [8]]


class Unequal(data.BatchSampler):
    """Batches of 1, 2, 3, ... images."""

    def batches(self, generator):
        return np.split(self.sampler.order(generator), [1, 3, 6, 10, 15])

    def __len__(self):
        return 6


def test_batch_samplers_and_resuming_them():
    stored = dataset()
    loader = data.DataLoader(stored, batch_sampler=data.BatchSampler(data.RandomSampler(stored), 6, drop_last=True), seed=2)
    assert labels(loader) == labels(data.DataLoader(stored, 6, shuffle=True, drop_last=True, seed=2))
    unequal = data.DataLoader(stored, batch_sampler=Unequal(data.RandomSampler(stored), 1), seed=2)
    whole = labels(unequal)
    assert [len(batch) for batch in whole] == [1, 2, 3, 4, 5, 5] and len(unequal) == 6
    unequal.load_state_dict({**unequal.state_dict(), "epoch": 0, "position": 6})
    assert labels(unequal) == whole[3:]
    unequal.load_state_dict({**unequal.state_dict(), "position": 7})
    with pytest.raises(StateError, match="no batch of epoch 1 begins after 7 images"):
        labels(unequal)


def test_bad_arguments():
    stored = dataset()
    for make, text in (
        (lambda: data.RandomSampler(stored, num_samples=21), "needs replacement=True"),
        (lambda: data.RandomSampler(stored, num_samples=0), "num_samples must be an int of at least 1, got 0"),
        (lambda: data.WeightedRandomSampler([0, 1], 2, False), "only 1 weights are above 0"),
        (lambda: data.WeightedRandomSampler([0, 0], 2), "not all 0"),
        (lambda: data.WeightedRandomSampler([-1, 2], 2), "one finite number >= 0"),
        (lambda: data.WeightedRandomSampler([np.nan], 2), "one finite number >= 0"),
        (lambda: data.BatchSampler(data.RandomSampler(stored), 0), "batch_size must be an int of at least 1, got 0"),
    ):
        with pytest.raises(ArgumentError, match=text):
            make()
    with pytest.raises(DtypeError, match="1-D array of ints"):
        data.SubsetRandomSampler([0.5])
