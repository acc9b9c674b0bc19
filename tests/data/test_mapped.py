"""tests.data.test_mapped: .npy and .npz files that stay on disk, one of them larger than this machine's memory."""

import os
from contextlib import suppress

import numpy as np
import pytest

from fastcnn import data
from fastcnn.errors import ArgumentError, DtypeError, FastcnnError, FileFormatError, ShapeError


def images(n=9, c=3, h=5, w=4, dtype="u1"):
    return np.random.default_rng(0).integers(0, 256, (n, c, h, w)).astype(dtype)


@pytest.mark.parametrize("dtype", ["u1", "f4", "f8"])
@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("kind", ["npy", "npz", "fortran"])
def test_gives_what_an_array_gives(tmp_path, dtype, layout, kind):
    x = images(dtype=dtype)
    held = x if layout == "NCHW" else x.transpose(0, 2, 3, 1).copy()
    normalize = data.Normalize([0.1, 0.2, 0.3], 0.5)
    if kind == "npz":
        np.savez(tmp_path / "file.npz", images=held, labels=np.arange(9))
        stored = data.MappedDataset(tmp_path / "file.npz", layout=layout, normalize=normalize)
    else:
        np.save(tmp_path / "x.npy", np.asfortranarray(held) if kind == "fortran" else held)
        np.save(tmp_path / "y.npy", np.arange(9))
        stored = data.MappedDataset(tmp_path / "x.npy", tmp_path / "y.npy", layout=layout, normalize=normalize)
    wanted = data.ArrayDataset(x, np.arange(9), normalize=normalize)
    assert len(stored) == 9 and stored.shape == (3, 5, 4)
    for index in (slice(2, 7), np.array([8, 0, 0, 3]), slice(0, 0)):
        (a, b), (c, d) = stored.batch(index), wanted.batch(index)
        np.testing.assert_array_equal(a, c)
        np.testing.assert_array_equal(b, d)
        assert a.transpose(0, 2, 3, 1).flags.c_contiguous and a.flags.aligned


def test_grey_images_other_names_and_the_loader(tmp_path):
    np.savez(tmp_path / "mnist.npz", x_train=images(20)[:, 0], y_train=np.arange(20))
    stored = data.MappedDataset(tmp_path / "mnist.npz", names=("x_train", "y_train"))
    assert stored.shape == (1, 5, 4)
    for x, y in data.DataLoader(stored, 6, shuffle=True):
        np.testing.assert_allclose(x.numpy()[:, 0], images(20)[y, 0] / 255, rtol=1e-6)


def test_a_file_larger_than_memory(tmp_path):
    """A file of zeros without blocks on disk, with a few images written into it."""
    shape = (4_000_000, 128, 128, 3)  # 197 GB
    path = tmp_path / "large.npy"
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
        start = file.tell()
        places = np.array([3_999_999, 0, 1_234_567])
        for place in places:
            file.seek(start + place * 128 * 128 * 3)
            file.write(bytes([place % 251 + 1]) * (128 * 128 * 3))
        try:
            file.truncate(start + np.prod(shape, dtype=np.int64))
        except OSError as error:
            pytest.skip(f"this file system has no files with holes of this size: {error}")
    assert os.stat(path).st_blocks * 512 < 10 << 20
    before = resident()
    stored = data.MappedDataset(path, np.broadcast_to(np.int64(1), len(range(shape[0]))), layout="NHWC")
    x, _ = stored.batch(places)
    np.testing.assert_allclose(x[:, 0, 0, 0] * 255, places % 251 + 1, rtol=1e-6)
    for start in range(0, 3_000_000, 100_000):
        stored.batch(np.arange(start, start + 16))
    # 32 MB of labels, and the pages of 483 images with what the system reads ahead
    assert resident() - before < 150 << 20


def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_compressed_and_absent_arrays(tmp_path):
    path = tmp_path / "x.npz"
    np.savez_compressed(path, images=images(), labels=np.arange(9))
    with pytest.raises(FileFormatError, match=f"{path} is compressed.*numpy.savez"):
        data.MappedDataset(path)
    np.savez(path, pictures=images())
    with pytest.raises(FileFormatError, match="no array 'images', it holds pictures"):
        data.MappedDataset(path)
    np.save(tmp_path / "x.npy", images())
    with pytest.raises(ArgumentError, match=r"labels are needed, because .*npy"):
        data.MappedDataset(tmp_path / "x.npy")


@pytest.mark.parametrize(
    ("array", "labels", "options", "error", "text"),
    [
        (images()[0, 0], np.arange(5), {}, ShapeError, "3 or 4 axes"),
        (images(dtype="i4"), np.arange(9), {}, DtypeError, "got int32"),
        (images(dtype=">f4"), np.arange(9), {}, DtypeError, "got >f4"),
        (images(), np.arange(8), {}, ShapeError, "9 images"),
        (images(), np.zeros(9), {}, DtypeError, "labels must be ints"),
        (images(), np.arange(9), {"layout": "CHWN"}, ArgumentError, "'CHWN'"),
    ],
)
def test_bad_arrays(tmp_path, array, labels, options, error, text):
    np.save(tmp_path / "x.npy", array)
    with pytest.raises(error, match=f"MappedDataset: .*{text}"):
        data.MappedDataset(tmp_path / "x.npy", labels, **options)


def test_an_array_that_would_reach_into_the_next_one(tmp_path):
    np.savez(path := tmp_path / "x.npz", images=images(4, 1, 1, 4), labels=np.arange(4))
    path.write_bytes(path.read_bytes().replace(b"(4, 1, 1, 4)", b"(5, 1, 1, 4)"))
    with pytest.raises(FileFormatError, match=r"shape \(5, 1, 1, 4\), uint8 does not fit"):
        data.MappedDataset(path)


@pytest.mark.parametrize("kind", ["npy", "npz"])
def test_python_objects_and_damaged_files(tmp_path, kind):
    objects = np.array([{"a": 1}] * 9, object)
    if kind == "npy":
        np.save(path := tmp_path / "x.npy", objects)
    else:
        np.savez(path := tmp_path / "x.npz", images=objects)
    with pytest.raises(FileFormatError):
        data.MappedDataset(path, np.arange(9))
    good = tmp_path / f"good.{kind}"
    (np.save if kind == "npy" else np.savez)(good, **{"arr" if kind == "npy" else "images": images(c=1, w=40)})
    content = good.read_bytes()
    for cut in (0, 3, 50, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:cut])
        with pytest.raises(FileFormatError, match=str(path)):
            data.MappedDataset(path, np.arange(9))
    rng = np.random.default_rng(0)
    ends = np.r_[: min(260, len(content)), max(0, len(content) - 150) : len(content)]
    for _ in range(400):
        damaged = bytearray(content)
        for place in rng.choice(ends, rng.integers(1, 4)):
            damaged[place] = rng.integers(256)
        path.write_bytes(damaged)
        with suppress(FastcnnError):
            stored = data.MappedDataset(path, np.arange(9))
            stored.batch(slice(None))
