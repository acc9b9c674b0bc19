"""bench.fashion_mnist: the same net and recipe trained by fastcnn and by PyTorch, epoch by epoch in turn.

The net is models.vgg_small: five 3x3 convolutions with batch-norm. Both start from the same weights; SGD with Nesterov momentum
0.9, weight decay 5e-4, label smoothing 0.1, random flips, one cycle of the rate up to 0.2 (and of the momentum, as PyTorch's
OneCycleLR does). The step of fastcnn is captured. Writes fashion.json and fashion.png.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from statistics import mean, median
from typing import NamedTuple

import numpy as np

import fastcnn as fc
import fastcnn.nn.functional as F
from bench import peers
from bench.gates import FASHION_ACCURACY
from fastcnn import cpu, data, models, optim, threads

OUT = Path(__file__).parent / "out"
RATE, MOMENTUM, DECAY, SMOOTHING, RISE = 0.2, 0.9, 5e-4, 0.1, 0.25
OURS, PEER = "fastcnn", "PyTorch channels-last"
TEST_BATCH = 1000


class Point(NamedTuple):
    """Seconds of training up to the end of an epoch, and the test accuracy there (testing is not timed)."""

    seconds: float
    accuracy: float


class Ours:
    """Trains the net with fastcnn; `model` is trained in place."""

    def __init__(self, model, train_set, test_set, batch: int, epochs: int, seed: int):
        self.model, self.test_set = model, test_set
        flip = data.RandomHorizontalFlip()
        self.loader = data.DataLoader(train_set, batch, shuffle=True, drop_last=True, seed=seed, transform=flip)
        self.optimizer = optim.SGD(model.parameters(), lr=RATE, momentum=MOMENTUM, nesterov=True, weight_decay=DECAY)
        self.schedule = optim.lr_scheduler.OneCycleLR(
            self.optimizer, max_lr=RATE, total_steps=epochs * len(self.loader), pct_start=RISE
        )
        self.step = fc.capture(self.run)

    def run(self, x, y) -> None:
        loss = F.cross_entropy(self.model(x), y, label_smoothing=SMOOTHING)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()

    def epoch(self) -> None:
        self.model.train()
        for x, y in self.loader:
            self.step(x, y)
            self.schedule.step()

    def accuracy(self) -> float:
        self.model.eval()
        correct = 0
        with fc.no_grad():
            for x, y in data.DataLoader(self.test_set, TEST_BATCH):
                correct += int((self.model(x).numpy().argmax(axis=1) == np.asarray(y)).sum())
        return correct / len(self.test_set)


def whole(dataset) -> tuple[np.ndarray, np.ndarray]:
    """Return all images and labels of a dataset as arrays."""
    x, y = dataset.batch(slice(0, len(dataset)))
    return np.ascontiguousarray(x.numpy() if hasattr(x, "numpy") else x), np.asarray(y)


def train_both(runs: dict, epochs: int) -> dict[str, list[Point]]:
    """Train every run for some epochs, one epoch of each in turn, and return their curves."""
    curves: dict[str, list[Point]] = {name: [] for name in runs}
    spent = dict.fromkeys(runs, 0.0)
    for epoch in range(epochs):
        for name, run in runs.items():
            start = time.perf_counter()
            run.epoch()
            spent[name] += time.perf_counter() - start
            curves[name].append(Point(spent[name], run.accuracy()))
            print(f"  epoch {epoch + 1}, {name}: {spent[name]:.1f} s in all, {curves[name][-1].accuracy:.2%}", flush=True)
    return curves


def seconds_to(curve: list[Point], accuracy: float) -> float | None:
    """Return the seconds at the end of the first epoch that reaches an accuracy; None when none does."""
    return next((point.seconds for point in curve if point.accuracy >= accuracy), None)


def summary(curves: list[dict[str, list[Point]]], accuracy: float = FASHION_ACCURACY) -> dict:
    """Return what the table and the gate need; `curves` has one dict for each seed.

    `speedup` is the median over the seeds of their seconds to the accuracy over ours; None unless both reach it with every seed.
    """
    pairs = [tuple(seconds_to(found.get(name, []), accuracy) for name in (OURS, PEER)) for found in curves]
    reached = all(ours is not None and theirs is not None for ours, theirs in pairs)
    table = {}
    for name in curves[0]:
        ends = [found[name][-1] for found in curves]
        to = [seconds_to(found[name], accuracy) for found in curves]
        table[name] = {
            "accuracy": mean(point.accuracy for point in ends),
            "lowest": min(point.accuracy for point in ends),
            "seconds": median(point.seconds for point in ends),
            "reached": sum(seconds is not None for seconds in to),
            "to": median(seconds for seconds in to if seconds is not None) if any(to) else None,
        }
    speedup = median(theirs / ours for ours, theirs in pairs) if reached else None
    return {"goal": accuracy, "seeds": len(curves), "speedup": speedup, "table": table, "curves": curves}


def text(record: dict) -> str:
    """Return the table as Markdown."""
    goal, seeds = record["goal"], record["seeds"]
    lines = [
        f"| | test accuracy, mean of {seeds} | lowest | seconds of training | seconds to {goal:.1%} | seeds that reach it |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for name, row in record["table"].items():
        to = f"{row['to']:.1f}" if row["to"] is not None else ""
        accuracy = f"{row['accuracy']:.2%} | {row['lowest']:.2%}"
        lines.append(f"| {name} | {accuracy} | {row['seconds']:.1f} | {to} | {row['reached']} of {seeds} |")
    if record["speedup"]:
        lines.append(f"\nfastcnn reaches {goal:.1%} in 1 / {record['speedup']:.2f} of the time.")
    return "\n".join(lines)


def draw(record: dict, path: Path) -> None:
    """Write the learning curves of all seeds as one PNG. Needs matplotlib."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.0, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    colours = {OURS: "#1f5fa8", PEER: "#d9822b"}
    for seed, curves in enumerate(record["curves"]):
        for name, curve in curves.items():
            seconds, accuracy = zip(*curve, strict=True)
            label = name if seed == 0 else None
            axes.plot(seconds, [100 * a for a in accuracy], marker="o", markersize=4, color=colours[name], label=label)
    axes.axhline(100 * record["goal"], color="#444444", linewidth=0.8, linestyle="--", label=f"{record['goal']:.1%}")
    axes.set_xlabel("seconds of training")
    axes.set_ylabel("test accuracy [%]")
    axes.set_title("Fashion-MNIST, the same net and recipe")
    axes.grid(True, linewidth=0.4, alpha=0.6)
    axes.legend(loc="lower right", frameon=False)
    figure.savefig(path, dpi=110)


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Train one net on Fashion-MNIST with fastcnn and PyTorch in turn.")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--seeds", type=int, default=1, help="runs, with the seeds 0, 1, ...")
    parser.add_argument("--root", help="folder with the four files (default: Debian's package, then a download)")
    parser.add_argument("--limit", type=int, help="use only the first images of either set")
    parser.add_argument("--alone", action="store_true", help="without PyTorch")
    parser.add_argument("--out", type=Path, default=OUT, help="folder of fashion.json and fashion.png")
    options = parser.parse_args(arguments)
    if min(options.epochs, options.batch, options.seeds) < 1:
        parser.error("epochs, batch and seeds must be at least 1")
    return options


def main(arguments: list[str] | None = None) -> dict:
    options = parse(arguments)
    sets = [data.fashion_mnist(train=train, root=options.root) for train in (True, False)]
    if options.limit:
        sets = [data.Subset(dataset, range(min(options.limit, len(dataset)))) for dataset in sets]
    if not options.alone:
        peers.require()
    found = []
    for seed in range(options.seeds):
        print(f"seed {seed}", flush=True)
        fc.manual_seed(seed)
        model = models.vgg_small(num_classes=10)
        runs = {}
        if not options.alone:
            arrays = [whole(dataset) for dataset in sets]
            runs[PEER] = peers.load("torch_fashion").Theirs(model, arrays, options.batch, options.epochs, seed)
        runs = {OURS: Ours(model, *sets, options.batch, options.epochs, seed), **runs}
        found.append(train_both(runs, options.epochs))
    record = summary(found)
    record |= {"isa": cpu.isa(), "threads": threads.get_num_threads(), "epochs": options.epochs, "batch": options.batch}
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "fashion.json").write_text(json.dumps(record, indent=1))
    draw(record, options.out / "fashion.png")
    print(text(record))
    return record


if __name__ == "__main__":
    main()
