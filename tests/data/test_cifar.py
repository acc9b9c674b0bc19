"""tests.data.test_cifar: CIFAR-10 and CIFAR-100 from files and archives of their format."""

import gzip
import io
import sys
import tarfile
from contextlib import suppress
from importlib import import_module

import numpy as np
import pytest

from fastcnn import data
from fastcnn.errors import FastcnnError, FileFormatError, MissingExtraError, StateError

from .serve import served

cifar = import_module("fastcnn.data.cifar")
TEN = [*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin"]


def records(count, labels, seed=0):
    """Return planes (count, 3, 32, 32), label bytes (count, columns) and the file that holds them."""
    rng = np.random.default_rng(seed)
    planes = rng.integers(0, 256, (count, 3, 32, 32)).astype("u1")
    marks = np.stack([rng.integers(0, n, count) for n in labels], 1).astype("u1")
    return planes, marks, np.concatenate([marks, planes.reshape(count, -1)], 1).tobytes()


def archive(files, folder):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(f"{folder}/{name}")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def ten(seed=0):
    parts = [records(3, [10], seed + i) for i in range(6)]
    return parts, {name: part[2] for name, part in zip(TEN, parts, strict=True)}


@pytest.mark.parametrize("where", ["files", "folder", "archive"])
def test_cifar10(tmp_path, where):
    parts, files = ten()
    folder = tmp_path / "cifar-10-batches-bin" if where == "folder" else tmp_path
    folder.mkdir(exist_ok=True)
    if where == "archive":  # the published archive holds its files in no order, and others beside them
        mixed = {"readme.html": b"x", **dict(reversed(files.items()))}
        (folder / "cifar-10-binary.tar.gz").write_bytes(archive(mixed, "cifar-10-batches-bin"))
    else:
        for name, content in files.items():
            (folder / name).write_bytes(content)
    train, test = data.cifar10(root=tmp_path, normalize=False), data.cifar10(False, root=tmp_path)
    assert (len(train), len(test), train.shape) == (15, 3, (3, 32, 32))
    np.testing.assert_array_equal(train.images, np.concatenate([part[0] for part in parts[:5]]))
    np.testing.assert_array_equal(train.labels, np.concatenate([part[1][:, 0] for part in parts[:5]]))
    np.testing.assert_array_equal(test.labels, parts[5][1][:, 0])
    x, _ = test.batch(slice(None))
    mean, std = (np.array(values)[:, None, None] for values in (cifar.TEN.mean, cifar.TEN.std))
    np.testing.assert_allclose(x, (parts[5][0] / 255 - mean) / std, atol=1e-5)
    assert x.transpose(0, 2, 3, 1).flags.c_contiguous and train.classes[3] == "cat"


def test_cifar100_fine_and_coarse(tmp_path):
    planes, marks, content = records(5, [20, 100])
    (tmp_path / "train.bin").write_bytes(content)
    stored = data.cifar100(root=tmp_path)
    np.testing.assert_array_equal(stored.images, planes)
    assert stored.labels.tolist() == marks[:, 1].tolist()
    assert data.cifar100(root=tmp_path, coarse=True).labels.tolist() == marks[:, 0].tolist()


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", "test_batch.bin in .* has 0 bytes, not a multiple of 3073"),
        (bytes(3072), "has 3072 bytes"),
        (b"\x0a" + bytes(3072), "label 10, above 9"),
    ],
)
def test_damaged_files(tmp_path, content, text):
    (tmp_path / "test_batch.bin").write_bytes(content)
    with pytest.raises(FileFormatError, match=f"cifar10: .*{text}"):
        data.cifar10(False, root=tmp_path)


@pytest.mark.parametrize("change", ["cut", "junk", "absent"])
def test_damaged_archives(tmp_path, change):
    _, files = ten()
    good = archive(files, "cifar-10-batches-bin")
    bad, text = {
        "cut": (good[: len(good) // 2], "is a damaged archive"),
        "junk": (b"junk", "is a damaged archive"),
        "absent": (archive({"readme.html": b""}, "x"), "does not hold data_batch_1.bin, data_batch_2.bin"),
    }[change]
    (tmp_path / "cifar-10-binary.tar.gz").write_bytes(bad)
    with pytest.raises(FileFormatError, match=text):
        data.cifar10(root=tmp_path)


def test_an_archive_that_claims_too_much_is_refused(tmp_path):
    name = "test.bin"
    (tmp_path / "cifar-100-binary.tar.gz").write_bytes(archive({name: bytes(90 << 20)}, "cifar-100-binary"))
    with pytest.raises(FileFormatError, match="more than its size allows"):
        data.cifar100(False, root=tmp_path)


def test_mutated_archives_never_do_worse_than_a_clear_error(tmp_path):
    rng = np.random.default_rng(0)
    good = archive({"test.bin": records(1, [20, 100])[2]}, "cifar-100-binary")
    tar = gzip.decompress(good)[:2048]  # the header, and a part of the data that it announces
    for i in range(200):
        content = bytearray(good if i % 2 else tar)
        for _ in range(rng.integers(1, 4)):
            content[rng.integers(len(content) if i % 2 else 512)] = rng.integers(256)
        content = content if i % 2 else gzip.compress(content)
        (tmp_path / "cifar-100-binary.tar.gz").write_bytes(content)
        with suppress(FastcnnError):
            data.cifar100(False, root=tmp_path)


def test_missing_files_are_named(tmp_path, monkeypatch):
    with pytest.raises(StateError, match=f"cifar-10-binary.*{tmp_path}.*download=False; put data_batch_1.bin.*{tmp_path}"):
        data.cifar10(root=tmp_path, download=False)
    monkeypatch.setitem(sys.modules, "pooch", None)
    with pytest.raises(MissingExtraError, match=rf"cifar100: .*pip install 'fastcnn\[data\]'.*put train.bin.*{tmp_path}"):
        data.cifar100(root=tmp_path)


def test_a_download_is_checked(tmp_path, monkeypatch):
    pytest.importorskip("pooch")
    with served(tmp_path / "served", cifar.MD5) as url:
        monkeypatch.setattr(cifar, "URL", url)
        with pytest.raises(StateError, match=r"hash.*put test_batch.bin"):
            data.cifar10(False, root=tmp_path / "target")
    assert not list((tmp_path / "target").glob("*"))
