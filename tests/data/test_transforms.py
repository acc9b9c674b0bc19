"""tests.data.test_transforms: each transform against a loop over the images, and the rules they all keep."""

import numpy as np
import pytest

from fastcnn import data
from fastcnn.errors import ArgumentError, ShapeError

ALL = [
    data.Normalize(0.5, 0.25),
    data.RandomHorizontalFlip(),
    data.RandomCrop(6, padding=2),
    data.RandomCrop((8, 5), padding=(1, 0), fill=0.5),
    data.Cutout(3),
    data.Cutout(4, p=0.5, fill=-1),
]


def batch(n=16, c=3, h=8, w=6):
    images = np.random.default_rng(0).random((n, h, w, c), dtype=np.float32)
    images.flags.writeable = False
    return images.transpose(0, 3, 1, 2)


@pytest.mark.parametrize("transform", ALL, ids=lambda t: type(t).__name__)
def test_deterministic_channels_last_and_input_unchanged(transform):
    x = batch()
    before = x.copy()
    y, again = (transform(x, np.random.default_rng(7)) for _ in range(2))
    np.testing.assert_array_equal(x, before)
    np.testing.assert_array_equal(y, again)
    assert y.dtype == np.float32 and y.transpose(0, 2, 3, 1).flags.c_contiguous and not np.shares_memory(x, y)
    assert transform(x[:0], np.random.default_rng(7)).shape[0] == 0


@pytest.mark.parametrize("p", [0.0, 0.5, 1.0])
def test_flip_mirrors_whole_images(p):
    x = batch(200)
    y = data.RandomHorizontalFlip(p)(x, np.random.default_rng(1))
    flipped = np.array([not np.array_equal(a, b) for a, b in zip(x, y, strict=True)])
    np.testing.assert_array_equal(y[flipped], x[flipped][..., ::-1])
    assert abs(flipped.mean() - p) < 0.15


def test_crop_is_a_window_of_the_padded_image_at_every_place():
    x = batch(400, c=2, h=4, w=4)
    y = data.RandomCrop(4, padding=1, fill=9)(x, np.random.default_rng(1))
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)), constant_values=9)
    places = set()
    for image, window in zip(padded, y, strict=True):
        hits = [(i, j) for i in range(3) for j in range(3) if np.array_equal(image[:, i : i + 4, j : j + 4], window)]
        assert len(hits) == 1
        places.add(hits[0])
    assert len(places) == 9


def test_cutout_fills_one_clipped_square():
    x = np.ones((300, 2, 7, 9), "f4")
    y = data.Cutout(3, fill=-1)(x, np.random.default_rng(1))
    centres = set()
    for image in y:
        rows, columns = np.nonzero((image == -1).any(axis=(0, 2)))[0], np.nonzero((image == -1).any(axis=(0, 1)))[0]
        assert len(rows) in (2, 3) and len(columns) in (2, 3)
        assert (image[:, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] == -1).all()
        assert (image == -1).sum() == 2 * len(rows) * len(columns)
        centres.add((rows[0], columns[0]))
    assert len(centres) > 20


def test_normalize_of_bytes_and_floats():
    x = (batch() * 255).astype("u1")
    y = data.Normalize([0.1, 0.2, 0.3], [1, 2, 3])(x)
    expected = (x / 255.0 - np.array([0.1, 0.2, 0.3])[:, None, None]) / np.array([1, 2, 3])[:, None, None]
    np.testing.assert_allclose(y, expected, atol=1e-6)
    assert data.Normalize(0, 1)(batch().astype("f8")).dtype == np.float64


def test_bad_options_and_shapes():
    for make in (
        lambda: data.Normalize(0, 0),
        lambda: data.Normalize(np.nan, 1),
        lambda: data.RandomHorizontalFlip(1.5),
        lambda: data.RandomCrop(0),
        lambda: data.RandomCrop(4, padding=-1),
        lambda: data.Cutout(0),
        lambda: data.Cutout(2, p=-0.1),
    ):
        with pytest.raises(ArgumentError):
            make()
    with pytest.raises(ShapeError, match="larger than the padded image"):
        data.RandomCrop(13, padding=2)(batch(), np.random.default_rng(0))
    with pytest.raises(ShapeError, match="2 channels of mean and std, x has 3"):
        data.Normalize([0, 0], 1)(batch())
    with pytest.raises(ShapeError, match="mean has 2 channels, std has 3"):
        data.Normalize([0, 0], [1, 1, 1])
