"""tests.test_examples: every example runs, on small data, in a process of its own."""

import importlib.util
import json
import os
import re
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np

EXAMPLES = Path(__file__).parents[1] / "examples"


def run(script, *arguments, cwd):
    done = subprocess.run(
        [sys.executable, EXAMPLES / script, *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(EXAMPLES.parent)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def fashion_folder(folder):
    """Write files of the right format whose classes are easy: one bright row per label."""
    rng = np.random.default_rng(0)
    for kind, count in (("train", 256), ("t10k", 64)):
        labels = np.arange(count) % 10
        images = rng.integers(0, 60, (count, 28, 28))
        images[np.arange(count), labels * 2 + 4] = 255
        for name, array in (("images-idx3", images), ("labels-idx1", labels)):
            head = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
            (folder / f"{kind}-{name}-ubyte").write_bytes(head + array.astype("u1").tobytes())
    return folder


def test_every_example_is_tested():
    here = Path(__file__).read_text()
    assert all(f'"{script.name}"' in here for script in EXAMPLES.glob("*.py"))


def test_train_digits(tmp_path):
    text = run("train_digits.py", "--epochs", 1, "--batch-size", 128, cwd=tmp_path)
    assert re.fullmatch(r"epoch 1: loss [\d.]+, test accuracy [\d.]+%\n", text)
    assert (tmp_path / "digits.safetensors").stat().st_size > 200_000


def test_train_fashion_mnist(tmp_path):
    options = ["--epochs", 2, "--batch-size", 32, "--limit", 96, "--lr", 0.05, "--threads", 1, "--root", fashion_folder(tmp_path)]
    text = run("train_fashion_mnist.py", *options, cwd=tmp_path)
    assert len(re.findall(r"epoch \d: [\d.]+ s, test accuracy [\d.]+%", text)) == 2


def test_training_strategies(tmp_path):
    options = ["--quick", "--threads", 1, "--root", fashion_folder(tmp_path), "--output", tmp_path / "s"]
    text = run("training_strategies.py", *options, cwd=tmp_path)
    assert (tmp_path / "s.md").read_text() in text and (tmp_path / "s.md").read_text().count("\n") == 2 + 12
    found = json.loads((tmp_path / "s.json").read_text())
    assert [len(group) for group in found["curves"].values()] == [4, 3, 5] and len(found["runs"]) == 10
    assert all(len(curve) == 2 and 0 <= curve[1][1] <= 1 for group in found["curves"].values() for curve in group.values())
    if importlib.util.find_spec("matplotlib"):
        assert (tmp_path / "s.png").read_bytes()[:4] == b"\x89PNG"
    lost = next(key for key in found["runs"] if key.startswith("adam"))
    kept = {key: points for key, points in found["runs"].items() if key != lost}
    (tmp_path / "s.json").write_text(json.dumps({**found, "runs": kept}))  # as after a stop in that run
    assert "9 runs are in" in run("training_strategies.py", *options, cwd=tmp_path)
    again = json.loads((tmp_path / "s.json").read_text())["runs"]
    assert {key: again[key] for key in kept} == kept
    assert [accuracy for _, accuracy in again[lost]] == [accuracy for _, accuracy in found["runs"][lost]]


def test_prune_digits(tmp_path):
    text = run("prune_digits.py", "--epochs", 1, "--fine-tuning-epochs", 1, cwd=tmp_path)
    totals = [int(line.split()[1].replace(",", "")) for line in text.splitlines() if line.startswith("total")]
    assert totals[0] == 61_706 and totals[1] < totals[0] / 3
    tuned = re.search(r"after fine-tuning ([\d.]+)%", text)[1]
    assert f"accuracy {tuned}%" in text.splitlines()[-1]
