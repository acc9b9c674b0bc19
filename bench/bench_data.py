"""bench.bench_data: one shuffled epoch of the loader beside indexing an array, the same work in NumPy, and PyTorch."""

from __future__ import annotations

import numpy as np
import pytest

from bench import peers
from fastcnn import data

BATCH = 128
# name: (images, channels, size); the first is Fashion-MNIST's training set in shape. Floats of either are larger than the caches.
SETS = {"28x28 grey": (60_000, 1, 28), "32x32 colour": (12_800, 3, 32)}
AUGMENT = [data.RandomShift(2), data.RandomHorizontalFlip()]
# name: (stored as, transforms, threads). What is stored as uint8 is normalised too, which indexing does not do.
LOADERS = {
    "floats": ("f4", None, 0),
    "bytes, normalised": ("u1", None, 0),
    "bytes, normalised, a thread ahead": ("u1", None, 1),
    "bytes, shifted, mirrored, normalised": ("u1", AUGMENT, 0),
}


@pytest.mark.benchmark(group="data")
@pytest.mark.parametrize("loader", LOADERS)
@pytest.mark.parametrize("name", SETS)
def test_epoch(name, loader, versus, smoke, with_peers):
    count, channels, size = SETS[name]
    count = 2 * BATCH if smoke else count
    dtype, transform, workers = LOADERS[loader]
    rng = np.random.default_rng(0)
    # (N, H, W, C) -> (N, C, H, W), channels-last in memory
    stored = rng.integers(0, 256, (count, size, size, channels), dtype=np.uint8).transpose(0, 3, 1, 2)
    floats, labels = (stored / np.float32(255)).astype(np.float32), np.arange(count)
    normalize = None if dtype == "f4" else data.Normalize([0.5] * channels, 0.25)
    dataset = data.ArrayDataset(floats if dtype == "f4" else stored, labels, normalize=normalize)
    batches = data.DataLoader(dataset, BATCH, shuffle=True, seed=0, transform=transform, num_workers=workers)
    generator = np.random.default_rng(0)

    def ours() -> int:
        return sum(len(y) for _, y in batches)

    def indexed() -> int:
        order = generator.permutation(count)
        pieces = [order[i : i + BATCH] for i in range(0, count, BATCH)]
        return sum(len(floats[piece]) * (labels[piece] is not None) for piece in pieces)

    first, y = next(iter(data.DataLoader(dataset, BATCH, shuffle=True, seed=0)))
    wanted = floats[y] if normalize is None else (floats[y] - 0.5) / 0.25
    assert np.allclose(first.numpy(), wanted, atol=1e-5), f"{name}, {loader}: the batch is not that of its labels"
    others = {"NumPy x[index]": indexed}
    if with_peers:
        others |= peers.load("torch_peer").batches(np.ascontiguousarray(floats), labels, BATCH)
    assert {run() for run in (ours, *others.values())} == {count}
    versus(ours, others, work={"bytes": 2 * floats.nbytes}, table="Epoch of batches of 128", row=f"{name}, {loader}")


def normalised(x: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """What one writes in NumPy for bytes / 255, normalised."""
    return (x.astype(np.float32) / 255 - 0.5) / 0.25


def augmented(x: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """What one writes in NumPy for AUGMENT, without a loop over the images."""
    n, _, h, w = x.shape
    padded = np.pad(x, ((0, 0), (0, 0), (2, 2), (2, 2)))
    top, left = generator.integers(5, size=(2, n))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (h, w), axis=(2, 3))
    x = windows[np.arange(n), :, top, left]
    mirrored = generator.random(n) < 0.5
    x[mirrored] = x[mirrored, ..., ::-1]
    return normalised(x, generator)


BY_HAND = {"bytes, normalised": (None, normalised), "bytes, shifted, mirrored, normalised": (AUGMENT, augmented)}


@pytest.mark.benchmark(group="data")
@pytest.mark.parametrize("work", BY_HAND)
@pytest.mark.parametrize("name", SETS)
def test_the_same_work(name, work, versus, smoke):
    count, channels, size = SETS[name]
    count = 2 * BATCH if smoke else count
    transform, hand = BY_HAND[work]
    stored = np.random.default_rng(0).integers(0, 256, (count, channels, size, size), dtype=np.uint8)
    labels, generator = np.arange(count), np.random.default_rng(0)
    dataset = data.ArrayDataset(stored, labels, normalize=data.Normalize(0.5, 0.25))
    batches = data.DataLoader(dataset, BATCH, shuffle=True, seed=0, transform=transform)

    def ours() -> int:
        return sum(len(y) for _, y in batches)

    def by_hand() -> int:
        order = generator.permutation(count)
        pieces = [order[i : i + BATCH] for i in range(0, count, BATCH)]
        return sum(len(hand(stored[piece], generator)) * (labels[piece] is not None) for piece in pieces)

    assert ours() == by_hand() == count
    moved = 5 * stored.nbytes  # bytes read, floats written
    versus(ours, {"the same in NumPy": by_hand}, work={"bytes": moved}, table="Epoch of augmented batches", row=f"{name}, {work}")
