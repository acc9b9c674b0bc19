"""Compare training strategies on Fashion-MNIST: learning-rate decay, batch size, variants of SGD; accuracy against seconds.

As it stands: ten strategies on 30,000 images, some five minutes on two cores. `--subset 0 --seeds 3` is the whole comparison.
Each run is kept in the .json when it ends: started again with the same options, the script goes on with those that are missing.
"""

import argparse
import json
import math
import time
from pathlib import Path
from typing import NamedTuple

import fastcnn as fc
import fastcnn.nn.functional as F
from fastcnn import data, errors, models, optim, report
from fastcnn.optim import lr_scheduler


class Strategy(NamedTuple):
    """One way to train; everything not named is the same for all."""

    optimizer: str = "nesterov"
    lr: float = 0.05
    schedule: str = "cosine"
    batch_size: int = 128


# The rate of one-cycle is its highest. Batch sizes scale it linearly from 0.05 at 128 images. Plain SGD gets a larger rate, since
# momentum 0.9 adds up ten gradients.
GROUPS = {
    "learning-rate decay": {
        "constant": Strategy(schedule="constant"),
        "step, x 0.1 at 60 and 85 %": Strategy(schedule="step"),
        "cosine": Strategy(),
        "one-cycle to 0.2": Strategy(schedule="one-cycle", lr=0.2),
    },
    "batch size, linear scaling": {
        "32 images, lr 0.0125": Strategy(batch_size=32, lr=0.0125),
        "128 images, lr 0.05": Strategy(),
        "512 images, lr 0.2": Strategy(batch_size=512, lr=0.2),
    },
    "variant of SGD, cosine": {
        "plain, lr 0.2": Strategy("plain", lr=0.2),
        "momentum, lr 0.05": Strategy("momentum"),
        "Nesterov, lr 0.05": Strategy(),
        "RMSprop, lr 0.001": Strategy("rmsprop", lr=0.001),
        "Adam, lr 0.001": Strategy("adam", lr=0.001),
    },
}


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=1, help="runs of each strategy; the figures are their means")
    parser.add_argument("--subset", type=int, default=30_000, help="first images of either set, 0: all (default: %(default)s)")
    parser.add_argument("--model", default="vgg_small", choices=["vgg_small", "lenet5"])
    parser.add_argument("--quick", action="store_true", help="2 epochs of lenet5 on 256 images: shows that the script runs")
    parser.add_argument("--threads", type=int, help="threads of the kernels (default: the CPUs allowed)")
    parser.add_argument("--root", help="folder with the four files (default: Debian's package, then a download)")
    parser.add_argument("--output", default="training_strategies", help="stem of the .png, .md and .json (default: %(default)s)")
    args = parser.parse_args()
    if args.quick:
        args.epochs, args.subset, args.model = 2, 256, "lenet5"
    if min(args.epochs, args.seeds) < 1 or args.subset < 0:
        parser.error("--epochs and --seeds must be at least 1, --subset at least 0")
    return args


def load(train, args):
    dataset = data.fashion_mnist(train=train, root=args.root)
    return data.Subset(dataset, range(min(args.subset, len(dataset)))) if args.subset else dataset


def make_optimizer(strategy, parameters):
    options = {"lr": strategy.lr, "weight_decay": 5e-4}
    if strategy.optimizer == "rmsprop":
        return optim.RMSprop(parameters, **options)
    if strategy.optimizer == "adam":
        return optim.Adam(parameters, **options)
    momentum = 0.0 if strategy.optimizer == "plain" else 0.9
    return optim.SGD(parameters, momentum=momentum, nesterov=strategy.optimizer == "nesterov", **options)


def make_schedule(strategy, optimizer, steps):
    if strategy.schedule == "one-cycle":
        return lr_scheduler.OneCycleLR(optimizer, max_lr=strategy.lr, total_steps=steps, pct_start=0.25)
    if strategy.schedule == "constant":
        schedule = lr_scheduler.Constant(optimizer)
    elif strategy.schedule == "step":
        schedule = lr_scheduler.MultiStepLR(optimizer, milestones=[int(0.6 * steps), int(0.85 * steps)], gamma=0.1)
    else:
        schedule = lr_scheduler.CosineAnnealingLR(optimizer, T_max=steps)
    return lr_scheduler.WarmUp(schedule, steps=max(1, steps // 20))  # all rates rise to their height in the first 5 %


def accuracy(model, dataset):
    model.eval()
    with fc.no_grad():
        right = sum((model(x).numpy().argmax(axis=1) == y).sum() for x, y in data.DataLoader(dataset, batch_size=500))
    model.train()
    return float(right / len(dataset))


def train(strategy, train_set, test_set, args, seed):
    """Return [(seconds of training so far, test accuracy), ...] after each epoch; the list ends early when the loss does."""
    fc.manual_seed(seed)
    model = getattr(models, args.model)(num_classes=10)
    flip = data.RandomHorizontalFlip()
    batch_size = min(strategy.batch_size, len(train_set))
    loader = data.DataLoader(train_set, batch_size, shuffle=True, drop_last=True, seed=seed, transform=flip)
    optimizer = make_optimizer(strategy, model.parameters())
    schedule = make_schedule(strategy, optimizer, args.epochs * len(loader))
    seconds, points = 0.0, []
    for _ in range(args.epochs):
        start = time.perf_counter()
        for x, y in loader:
            loss = F.cross_entropy(model(x), y)
            if not math.isfinite(loss.item()):
                return points
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        seconds += time.perf_counter() - start
        points.append((seconds, accuracy(model, test_set)))
    return points


def mean(runs):
    """Return the mean of several curves, as far as all of them go."""
    return [tuple(sum(values) / len(runs) for values in zip(*points, strict=True)) for points in zip(*runs, strict=False)]


class Results:
    """The curves of all runs, in a file that always is whole; those of a comparison with other options are not taken."""

    def __init__(self, path, about):
        self.path, self.about, self.runs = path, about, {}
        if path.exists():
            found = json.loads(path.read_text())
            if {name: found.get(name) for name in about} == about:
                self.runs = found["runs"]
                print(f"{len(self.runs)} runs are in {path} already")
            else:
                print(f"{path} holds runs with other options; they are replaced")

    def keep(self, key, points):
        self.runs[key] = points
        self.write()

    def write(self, **more):
        part = self.path.with_name(self.path.name + ".part")
        part.write_text(json.dumps({**self.about, "runs": self.runs, **more}, indent=1) + "\n")
        part.replace(self.path)


def measure(args, results):
    """Return {group: {strategy: curve}}; a strategy that stands in several groups is trained once."""
    train_set, test_set = load(True, args), load(False, args)
    curves = {}
    for name, strategy in [item for group in GROUPS.values() for item in group.items()]:
        if strategy in curves:
            continue
        keys = [f"{' '.join(map(str, strategy))} seed {seed}" for seed in range(args.seeds)]
        for seed, key in enumerate(keys):
            if key not in results.runs:
                results.keep(key, train(strategy, train_set, test_set, args, seed))
        curve = curves[strategy] = mean([results.runs[key] for key in keys])
        print(f"{name}: " + (f"{curve[-1][1]:.2%} after {curve[-1][0]:.1f} s" if curve else "diverged"), flush=True)
    return {title: {name: curves[strategy] for name, strategy in group.items()} for title, group in GROUPS.items()}


def table(groups, epochs):
    """Return Markdown: accuracy and seconds of each strategy, and the seconds to 99 % of its group's best accuracy."""
    lines = ["| group | strategy | test accuracy | seconds | seconds to 99 % of the best |", "|---|---|---:|---:|---:|"]
    for title, group in groups.items():
        goal = 0.99 * max((accuracy for curve in group.values() for _, accuracy in curve), default=0.0)
        for name, curve in group.items():
            reached = next((f"{seconds:.1f}" for seconds, accuracy in curve if accuracy >= goal), "-")
            whole = len(curve) == epochs
            figures = f"{curve[-1][1]:.2%} | {curve[-1][0]:.1f}" if whole else "diverged | -"
            lines.append(f"| {title} | {name} | {figures} | {reached} |")
    return "\n".join(lines) + "\n"


def main():
    args = parse()
    if args.threads:
        fc.set_num_threads(args.threads)
    about = {name: getattr(args, name) for name in ("model", "epochs", "subset")} | {"threads": fc.get_num_threads()}
    stem = Path(args.output)
    results = Results(stem.with_name(stem.name + ".json"), about)
    groups = measure(args, results)
    results.write(seeds=args.seeds, curves=groups)
    text = table(groups, args.epochs)
    print("\n" + text)
    stem.with_name(stem.name + ".md").write_text(text)
    try:
        images = f"{args.subset:,} images" if args.subset else "all images"
        title = f"Fashion-MNIST, {images}, {args.model}, {args.epochs} epochs, {fc.get_num_threads()} threads"
        report.plot_strategies(groups, stem.with_name(stem.name + ".png"), title=title)
    except errors.MissingExtraError as error:
        print(error)


if __name__ == "__main__":
    main()
