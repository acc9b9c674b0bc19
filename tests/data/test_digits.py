"""tests.data.test_digits: the bundled digits and the resize under them."""

import hashlib

import numpy as np
import pytest

from fastcnn import data
from fastcnn.data.resize import resize_bilinear
from fastcnn.errors import ArgumentError


def test_digits_are_split_once_and_for_all():
    train, held_out = data.digits(), data.digits(train=False)
    assert (len(train), len(held_out)) == (1438, 359)
    assert np.bincount(held_out.labels).tolist() == [36, 36, 35, 37, 36, 36, 36, 36, 35, 36]
    everything = np.concatenate([train.images, held_out.images])
    assert len(np.unique(everything.reshape(1797, -1), axis=0)) == 1797


@pytest.mark.parametrize(("train", "digest"), [(True, "d8e401ef57f81804"), (False, "e6e0c11bc22dd65a")])
def test_digits_are_the_bytes_they_always_were(train, digest):
    x, y = data.digits(train, size=8, normalize=False).batch(slice(None))
    assert hashlib.sha256((x * 16).round().astype("u1").tobytes() + y.astype("u1").tobytes()).hexdigest().startswith(digest)


def test_digits_scale():
    x, _ = data.digits(normalize=False).batch(slice(None))
    assert x.dtype == np.float32 and x.shape == (1438, 1, 28, 28) and x.min() == 0 and x.max() == 1
    x, _ = data.digits().batch(slice(None))
    assert abs(x.mean()) < 1e-3 and abs(x.std() - 1) < 1e-3
    assert data.digits(size=8).shape == (1, 8, 8)
    with pytest.raises(ArgumentError, match="size"):
        data.digits(size=0)


def test_resize_is_exact_where_it_must_be():
    rng = np.random.default_rng(0)
    image = rng.random((2, 8, 8)).astype("f4")
    np.testing.assert_array_equal(resize_bilinear(image, 8, 8), image)
    np.testing.assert_allclose(resize_bilinear(np.full((1, 8, 8), 3.0), 28, 13), 3.0, rtol=1e-6)
    ramp = np.tile(np.arange(8.0), (1, 8, 1))
    inner = resize_bilinear(ramp, 8, 16)[0, 0, 1:-1]
    np.testing.assert_allclose(np.diff(inner), 0.5, rtol=1e-6)
    np.testing.assert_allclose(resize_bilinear(ramp, 1, 4)[0, 0], [0.5, 2.5, 4.5, 6.5])
    np.testing.assert_allclose(resize_bilinear(np.full((1, 1, 1), 2.0), 3, 3), 2.0)
