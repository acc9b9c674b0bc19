"""tests.data.test_mnist: MNIST and Fashion-MNIST from files of their format, and what is said when files are missing."""

import gzip
import struct
import sys
from importlib import import_module

import numpy as np
import pytest

from fastcnn import data
from fastcnn.data.download import cache_folder
from fastcnn.errors import FileFormatError, MissingExtraError, StateError

from .serve import served

fashion = import_module("fastcnn.data.fashion_mnist")  # `data.fashion_mnist` is the function
digits = import_module("fastcnn.data.mnist")
BOTH = pytest.mark.parametrize("read", [data.mnist, data.fashion_mnist])


def module(read):
    return digits if read is data.mnist else fashion


def idx(array):
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.astype("u1").tobytes()


def folder_with(tmp_path, images, labels, pack=gzip.compress, suffix=".gz"):
    (tmp_path / f"train-images-idx3-ubyte{suffix}").write_bytes(pack(idx(images)))
    (tmp_path / f"train-labels-idx1-ubyte{suffix}").write_bytes(pack(idx(labels)))
    return tmp_path


@BOTH
@pytest.mark.parametrize(("pack", "suffix"), [(gzip.compress, ".gz"), (bytes, "")])
def test_from_a_folder(tmp_path, read, pack, suffix):
    images = np.random.default_rng(0).integers(0, 256, (6, 28, 28))
    folder = folder_with(tmp_path, images, np.arange(6), pack, suffix)
    x, y = read(root=folder, normalize=False).batch(slice(None))
    np.testing.assert_allclose(x[:, 0], images / 255, rtol=1e-6)
    assert y.tolist() == [0, 1, 2, 3, 4, 5]
    stored = read(root=folder)
    np.testing.assert_allclose(stored.batch(slice(None))[0][:, 0] * module(read).STD + module(read).MEAN, images / 255, atol=1e-5)
    assert stored.classes[5] == ("5" if read is data.mnist else "Sandal")


@BOTH
@pytest.mark.parametrize(
    ("images", "labels", "text"),
    [
        (np.zeros((6, 27, 28)), np.zeros(6), "must hold uint8 images"),
        (np.zeros((6, 28, 28)), np.zeros(5), "must hold 6 uint8 labels"),
        (np.zeros((6, 28, 28)), np.full(6, 10), "label 10"),
    ],
)
def test_other_content(tmp_path, read, images, labels, text):
    with pytest.raises(FileFormatError, match=f"{read.__name__}.*{text}"):
        read(root=folder_with(tmp_path, images, labels))


@BOTH
def test_missing_files_say_where_they_were_looked_for(tmp_path, monkeypatch, read):
    with pytest.raises(StateError, match=f"train-images.*{tmp_path}.*download=False.*put the four files"):
        read(root=tmp_path, download=False)
    monkeypatch.setitem(sys.modules, "pooch", None)
    with pytest.raises(MissingExtraError, match=rf"{read.__name__}: .*pip install 'fastcnn\[data\]'.*pass it as root"):
        read(root=tmp_path)


@BOTH
def test_offline_says_what_to_do(tmp_path, monkeypatch, read):
    pytest.importorskip("pooch")
    monkeypatch.setattr(module(read), "URL", "http://127.0.0.1:9/")
    with pytest.raises(StateError, match=r"could not be downloaded.*pass it as root"):
        read(root=tmp_path)
    assert not list(tmp_path.iterdir())


@BOTH
def test_a_download_is_checked(tmp_path, monkeypatch, read):
    pytest.importorskip("pooch")
    with served(tmp_path / "served", module(read).MD5) as url:
        monkeypatch.setattr(module(read), "URL", url)
        with pytest.raises(StateError, match="hash"):
            read(root=tmp_path / "target")
    assert not list((tmp_path / "target").glob("*"))


def test_the_cache_folder_follows_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("FASTCNN_DATA", str(tmp_path))
    assert cache_folder() == tmp_path
    folder = tmp_path / "mnist"
    folder.mkdir()
    folder_with(folder, np.zeros((3, 28, 28)), np.arange(3))
    assert len(data.mnist(download=False)) == 3
    monkeypatch.delenv("FASTCNN_DATA")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "fastcnn"


@pytest.mark.skipif(not fashion.DEBIAN.is_dir(), reason="Debian's package dataset-fashion-mnist is not installed")
def test_fashion_from_debian():
    test = data.fashion_mnist(train=False)
    assert len(test) == 10_000 and np.bincount(test.labels).tolist() == [1000] * 10
