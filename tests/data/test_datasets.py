"""tests.data.test_datasets: the bundled digits, the resize under them, and Fashion-MNIST."""

import gzip
import hashlib
import struct
import sys
from importlib import import_module

import numpy as np
import pytest

from fastcnn import data
from fastcnn.data.resize import resize_bilinear
from fastcnn.errors import ArgumentError, FileFormatError, MissingExtraError, StateError

fashion = import_module("fastcnn.data.fashion_mnist")  # `data.fashion_mnist` is the function


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


def idx(array):
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.astype("u1").tobytes()


def folder_with(tmp_path, images, labels, pack=gzip.compress, suffix=".gz"):
    (tmp_path / f"train-images-idx3-ubyte{suffix}").write_bytes(pack(idx(images)))
    (tmp_path / f"train-labels-idx1-ubyte{suffix}").write_bytes(pack(idx(labels)))
    return tmp_path


@pytest.mark.parametrize(("pack", "suffix"), [(gzip.compress, ".gz"), (bytes, "")])
def test_fashion_from_a_folder(tmp_path, pack, suffix):
    images = np.random.default_rng(0).integers(0, 256, (6, 28, 28))
    stored = data.fashion_mnist(root=folder_with(tmp_path, images, np.arange(6), pack, suffix), normalize=False)
    x, y = stored.batch(slice(None))
    np.testing.assert_allclose(x[:, 0], images / 255, rtol=1e-6)
    assert y.tolist() == [0, 1, 2, 3, 4, 5] and stored.classes[5] == "Sandal"


@pytest.mark.parametrize(
    ("images", "labels", "text"),
    [
        (np.zeros((6, 27, 28)), np.zeros(6), "must hold uint8 images"),
        (np.zeros((6, 28, 28)), np.zeros(5), "must hold 6 uint8 labels"),
        (np.zeros((6, 28, 28)), np.full(6, 10), "label 10"),
    ],
)
def test_fashion_with_other_content(tmp_path, images, labels, text):
    with pytest.raises(FileFormatError, match=text):
        data.fashion_mnist(root=folder_with(tmp_path, images, labels))


def test_missing_files_say_where_they_were_looked_for(tmp_path, monkeypatch):
    with pytest.raises(StateError, match=f"train-images.*{tmp_path}.*download=False"):
        data.fashion_mnist(root=tmp_path, download=False)
    monkeypatch.setitem(sys.modules, "pooch", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'fastcnn\[data\]'.*dataset-fashion-mnist"):
        data.fashion_mnist(root=tmp_path)


def test_offline_says_what_to_do(tmp_path, monkeypatch):
    pytest.importorskip("pooch")
    monkeypatch.setattr(fashion, "URL", "http://127.0.0.1:9/")
    with pytest.raises(StateError, match=r"could not be downloaded.*pass it as root"):
        data.fashion_mnist(root=tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_download_is_checked(tmp_path, monkeypatch):
    pytest.importorskip("pooch")
    served = tmp_path / "served"
    served.mkdir()
    for name in fashion.MD5:
        (served / name).write_bytes(b"something else")
    from functools import partial
    from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
    from threading import Thread

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=served))
    Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr(fashion, "URL", f"http://127.0.0.1:{server.server_address[1]}/")
    try:
        with pytest.raises(StateError, match="hash"):
            data.fashion_mnist(root=tmp_path / "target")
    finally:
        server.shutdown()
        server.server_close()
    assert not list((tmp_path / "target").glob("*"))


def test_the_cache_folder_follows_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("FASTCNN_DATA", str(tmp_path))
    assert fashion.cache_folder() == tmp_path
    monkeypatch.delenv("FASTCNN_DATA")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert fashion.cache_folder() == tmp_path / "fastcnn"


@pytest.mark.skipif(not fashion.DEBIAN.is_dir(), reason="Debian's package dataset-fashion-mnist is not installed")
def test_fashion_from_debian():
    test = data.fashion_mnist(train=False)
    assert len(test) == 10_000 and np.bincount(test.labels).tolist() == [1000] * 10
