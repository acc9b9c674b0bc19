"""tests.bench.test_fashion_mnist: the benchmark of time to accuracy on images made here; its table, gate and picture."""

from __future__ import annotations

import gzip
import json

import numpy as np
import pytest

from bench import fashion_mnist, gates
from bench.fashion_mnist import OURS, PEER, Point, seconds_to, summary

CURVES = [
    {OURS: [Point(1.0, 0.90), Point(2.0, 0.94)], PEER: [Point(3.0, 0.91), Point(7.0, 0.935)]},
    {OURS: [Point(1.5, 0.94), Point(3.0, 0.93)], PEER: [Point(3.0, 0.91), Point(6.0, 0.95)]},
]


def write(path, array):
    header = bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape)
    with gzip.open(path, "wb") as file:
        file.write(header + array.tobytes())


@pytest.fixture
def folder(tmp_path):
    """Two classes that a small net tells apart: bright above, bright below."""
    rng = np.random.default_rng(0)
    for stem, count in (("train", 96), ("t10k", 40)):
        labels = (np.arange(count) % 2).astype(np.uint8)
        images = rng.integers(0, 60, (count, 28, 28), dtype=np.uint8)
        images[labels == 0, :14] += 180
        images[labels == 1, 14:] += 180
        write(tmp_path / f"{stem}-images-idx3-ubyte.gz", images)
        write(tmp_path / f"{stem}-labels-idx1-ubyte.gz", labels)
    return tmp_path


def run(folder, monkeypatch, *options):
    monkeypatch.setattr(fashion_mnist.data, "fashion_mnist", made(folder))
    return fashion_mnist.main(["--epochs", "2", "--batch", "16", "--out", str(folder / "out"), *options])


def made(folder):
    def load(train, root=None):
        stem = "train" if train else "t10k"
        arrays = []
        for name, start in ((f"{stem}-images-idx3-ubyte.gz", 16), (f"{stem}-labels-idx1-ubyte.gz", 8)):
            with gzip.open(folder / name) as file:
                arrays.append(np.frombuffer(file.read(), np.uint8, offset=start))
        x = arrays[0].reshape(-1, 1, 28, 28).astype(np.float32) / 255 - 0.3
        return fashion_mnist.data.ArrayDataset(x, arrays[1].astype(np.int64))

    return load


def test_alone(folder, monkeypatch, capsys):
    pytest.importorskip("matplotlib")
    record = run(folder, monkeypatch, "--alone", "--seeds", "2")
    assert json.loads((folder / "out" / "fashion.json").read_text())["seeds"] == 2 and record["speedup"] is None
    assert (folder / "out" / "fashion.png").read_bytes().startswith(b"\x89PNG")
    assert record["curves"][0][OURS][-1].seconds > record["curves"][0][OURS][0].seconds > 0
    assert record["table"][OURS]["accuracy"] >= 0.5 and "| fastcnn |" in capsys.readouterr().out


def test_seconds_to_an_accuracy():
    assert seconds_to(CURVES[0][OURS], 0.93) == 2.0 and seconds_to(CURVES[0][OURS], 0.95) is None


def test_summary_and_gate():
    record = summary(CURVES, 0.933)
    assert record["speedup"] == pytest.approx((3.5 + 4.0) / 2) and gates.fashion(record).verdict == "met"
    assert record["table"][OURS] == pytest.approx({"accuracy": 0.935, "lowest": 0.93, "seconds": 2.5, "reached": 2, "to": 1.75})
    assert "in 1 / 3.75 of the time" in fashion_mnist.text(record)


def test_a_seed_that_pytorch_misses_compares_all_epochs():
    record = summary([{OURS: [Point(2.0, 0.94)], PEER: [Point(7.0, 0.93)]}], 0.933)
    gate = gates.fashion(record)
    assert record["speedup"] is None and gate.value == 3.5 and "reached with 1 and 0 of 1 seeds" in gate.name


def test_a_seed_that_misses_leaves_no_speedup():
    record = summary([*CURVES, {OURS: [Point(1.0, 0.9)], PEER: [Point(2.0, 0.95)]}], 0.933)
    assert record["speedup"] is None and record["table"][OURS]["reached"] == 2 and gates.fashion(record).verdict == "missed"
    assert gates.fashion(None).verdict == "not run"
