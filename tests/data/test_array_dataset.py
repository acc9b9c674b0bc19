"""tests.data.test_array_dataset: what a dataset accepts, keeps and hands out."""

import numpy as np
import pytest

from fastcnn import data
from fastcnn.errors import DtypeError, ShapeError


def dataset(n=10, dtype="u1", **options):
    rng = np.random.default_rng(0)
    return data.ArrayDataset(rng.integers(0, 256, (n, 3, 5, 4)).astype(dtype), np.arange(n) % 7, **options)


def test_batch_is_float32_channels_last_whatever_is_stored():
    for dtype in ("u1", "f4"):
        x, y = dataset(dtype=dtype).batch(np.array([3, 1, 9]))
        assert x.shape == (3, 3, 5, 4) and x.dtype == np.float32
        assert x.transpose(0, 2, 3, 1).flags.c_contiguous
        assert y.tolist() == [3, 1, 2] and y.dtype == np.int64


def test_uint8_is_divided_by_255_and_normalize_is_applied():
    stored = dataset()
    x, _ = stored.batch(slice(2, 5))
    np.testing.assert_allclose(x, stored.images[2:5] / 255.0, rtol=1e-6)
    x, _ = dataset(normalize=data.Normalize([0.1, 0.2, 0.3], 0.5)).batch(slice(2, 5))
    np.testing.assert_allclose(x, (stored.images[2:5] / 255.0 - np.array([0.1, 0.2, 0.3])[:, None, None]) / 0.5, atol=1e-6)


def test_a_slice_of_floats_is_a_read_only_view():
    stored = dataset(dtype="f4")
    x, y = stored.batch(slice(0, 4))
    assert np.shares_memory(x, stored.images)
    for array in (x, y, stored.images, stored.labels):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def test_the_callers_array_stays_writeable_and_grey_images_get_a_channel():
    images = np.zeros((4, 8, 8), "f4")
    stored = data.ArrayDataset(images, [0, 1, 2, 3])
    images[0] = 1
    assert stored.shape == (1, 8, 8)


def test_items():
    stored = dataset()
    x, y = stored[2]
    np.testing.assert_array_equal(x, stored.batch(slice(2, 3))[0][0])
    assert y == 2 and stored[-1][1] == 2 and stored[4:6][1].tolist() == [4, 5]


@pytest.mark.parametrize(
    ("images", "labels", "error", "text"),
    [
        (np.zeros((4, 4), "f4"), np.zeros(4, int), ShapeError, "3 or 4 axes"),
        (np.zeros((4, 1, 2, 2), "f4"), np.zeros(3, int), ShapeError, "one label per image"),
        (np.zeros((4, 1, 2, 2), object), np.zeros(4, int), DtypeError, "got object"),
        (np.zeros((4, 1, 2, 2), "i8"), np.zeros(4, int), DtypeError, "got int64"),
        (np.zeros((4, 1, 2, 2), "f4"), np.full(4, np.nan), DtypeError, "labels must be ints"),
    ],
)
def test_bad_arrays(images, labels, error, text):
    with pytest.raises(error, match=text):
        data.ArrayDataset(images, labels)
