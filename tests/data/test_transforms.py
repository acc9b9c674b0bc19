"""tests.data.test_transforms: each transform against a loop over the images, and the rules they all keep."""

import sys

import numpy as np
import pytest

from fastcnn import data
from fastcnn.errors import ArgumentError, MissingExtraError, ShapeError

ALL = [
    data.Normalize(0.5, 0.25),
    data.RandomHorizontalFlip(),
    data.RandomCrop(6, padding=2),
    data.RandomCrop((8, 5), padding=(1, 0), fill=1),
    data.Cutout(3),
    data.Cutout(4, p=0.5, fill=3),
    data.RandomVerticalFlip(),
    data.RandomShift((2, 1), padding_mode="reflect"),
    data.RandomCrop(7, padding=3, padding_mode="edge"),
    data.ColorJitter(0.4, 0.4),
    data.Compose([data.RandomHorizontalFlip(), data.Cutout(3)]),
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
    assert y.dtype == x.dtype and y.transpose(0, 2, 3, 1).flags.c_contiguous and not np.shares_memory(x, y)
    assert transform(x[:0], np.random.default_rng(7)).shape[0] == 0


@pytest.mark.parametrize("transform", ALL[1:], ids=lambda t: type(t).__name__)
def test_bytes_and_doubles_and_any_memory_order(transform):
    x = (batch() * 255).astype("u1")
    y = transform(x, np.random.default_rng(7))
    assert y.dtype == np.uint8 and y.transpose(0, 2, 3, 1).flags.c_contiguous
    np.testing.assert_array_equal(y, transform(np.ascontiguousarray(x), np.random.default_rng(7)))
    assert transform(x.astype("f8") / 255, np.random.default_rng(7)).dtype == np.float64
    if not isinstance(transform, data.ColorJitter):
        np.testing.assert_array_equal(y, transform(x.astype("f4"), np.random.default_rng(7)))


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


def test_vertical_flip():
    x = batch()
    np.testing.assert_array_equal(data.RandomVerticalFlip(1)(x, np.random.default_rng(0)), x[:, :, ::-1])
    np.testing.assert_array_equal(data.RandomVerticalFlip(0)(x, np.random.default_rng(0)), x)


@pytest.mark.parametrize("mode", ["constant", "edge", "reflect", "symmetric"])
@pytest.mark.parametrize("transform", [data.RandomShift, data.RandomCrop])
def test_padding_is_that_of_numpy(mode, transform):
    x = batch(60, h=5, w=4)
    options = {"fill": 0.5} if mode == "constant" else {}
    shift = transform((2, 3), padding_mode=mode, **options) if transform is data.RandomShift else None
    crop = shift or data.RandomCrop((5, 4), padding=(2, 3), padding_mode=mode, **options)
    y = crop(x, np.random.default_rng(1))
    padded = np.pad(x, ((0, 0), (0, 0), (2, 2), (3, 3)), mode=mode, **({"constant_values": 0.5} if options else {}))
    places = set()
    for image, window in zip(padded, y, strict=True):
        hits = [(i, j) for i in range(5) for j in range(7) if np.array_equal(image[:, i : i + 5, j : j + 4], window)]
        assert hits
        places.add(hits[0])
    assert len(places) > 20


def test_padding_wider_than_the_image():
    x = batch(50, h=1, w=2)
    for mode in ("edge", "reflect", "symmetric"):
        y = data.RandomShift((2, 5), padding_mode=mode)(x, np.random.default_rng(1))
        padded = np.pad(x, ((0, 0), (0, 0), (2, 2), (5, 5)), mode=mode)
        for image, window in zip(padded, y, strict=True):
            assert any(np.array_equal(image[:, :1, j : j + 2], window) for j in range(11))


def test_color_jitter_by_definition():
    x = (batch(40) * 255).astype("u1")
    y = data.ColorJitter(0.4, 0.3)(x, np.random.default_rng(3))
    rng = np.random.default_rng(3)
    bright, stretch = rng.uniform(0.6, 1.4, 40), rng.uniform(0.7, 1.3, 40)
    for image, result, b, s in zip(x.astype(float), y, bright, stretch, strict=True):
        image = np.clip(image * b, 0, 255)
        mean = np.mean(0.299 * image[0] + 0.587 * image[1] + 0.114 * image[2])
        assert np.abs(np.clip((image - mean) * s + mean, 0, 255) - result).max() <= 0.51
    np.testing.assert_allclose(data.ColorJitter()(batch(), rng), batch(), atol=1e-6)


def test_rotation_is_that_of_scipy():
    ndimage = pytest.importorskip("scipy.ndimage")
    for dtype, order, shape in (("f8", 1, (9, 6)), ("f8", 0, (7, 7)), ("u1", 1, (8, 8)), ("f4", 1, (1, 5))):
        x = np.random.default_rng(0).integers(0, 256, (6, 2, *shape)).astype(dtype)
        y = data.RandomRotation((-50, 30), order=order, fill=(3, 7))(x, np.random.default_rng(1))
        angles = np.random.default_rng(1).uniform(-50, 30, 6)
        for image, turned, angle in zip(x, y, angles, strict=True):
            for channel, fill in enumerate((3, 7)):
                options = {"reshape": False, "order": order, "mode": "grid-constant", "cval": fill}
                wanted = ndimage.rotate(image[channel].astype("f8"), angle, **options)
                assert np.abs(turned[channel] - wanted).max() <= (0.51 if dtype == "u1" else 1e-3)
    assert data.RandomRotation(10)(x[:0], np.random.default_rng(0)).shape == (0, 2, 1, 5)


def test_rotation_without_scipy(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'fastcnn\[augment\]'"):
        data.RandomRotation(10)


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
        lambda: data.RandomShift(-1),
        lambda: data.RandomShift(1, padding_mode="wrap"),
        lambda: data.RandomCrop(1, padding_mode="wrap"),
        lambda: data.ColorJitter(-1),
        lambda: data.RandomRotation((3, 1)),
        lambda: data.RandomRotation(3, order=3),
        lambda: data.Compose([data.MixUp()]),
        lambda: data.Cutout(2, fill=0.5)((batch() * 255).astype("u1"), np.random.default_rng(0)),
    ):
        with pytest.raises(ArgumentError):
            make()
    with pytest.raises(ShapeError, match="larger than the padded image"):
        data.RandomCrop(13, padding=2)(batch(), np.random.default_rng(0))
    with pytest.raises(ShapeError, match="2 channels of mean and std, x has 3"):
        data.Normalize([0, 0], 1)(batch())
    with pytest.raises(ShapeError, match="mean has 2 channels, std has 3"):
        data.Normalize([0, 0], [1, 1, 1])
