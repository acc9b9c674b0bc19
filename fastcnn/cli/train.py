"""cli.train: `fastcnn train`: train a model on a dataset and save it."""

from __future__ import annotations

import json

import numpy as np


def add(subparsers):
    """Describe the command."""
    parser = subparsers.add_parser("train", help="train a model on a dataset and save it")
    parser.add_argument("--dataset", choices=["digits", "fashion-mnist"], default="digits", help="default: %(default)s")
    parser.add_argument("--root", help="folder with the files of fashion-mnist (default: Debian's package, then a download)")
    parser.add_argument("--model", choices=["lenet5", "vgg_small"], default="lenet5", help="default: %(default)s")
    parser.add_argument("--epochs", type=int, default=10, help="default: %(default)s")
    parser.add_argument("--batch-size", type=int, default=64, help="default: %(default)s")
    parser.add_argument("--lr", type=float, default=0.05, help="peak of the one-cycle schedule (default: %(default)s)")
    parser.add_argument("--label-smoothing", type=float, default=0.0, help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="same seed, same weights (default: %(default)s)")
    parser.add_argument("--limit", type=int, metavar="N", help="train on the first N images only")
    parser.add_argument("--output", default="model.safetensors", metavar="PATH", help="file to save (default: %(default)s)")
    parser.add_argument("--checkpoint", metavar="PATH", help="save the whole run here after each epoch, and when Ctrl-C stops it")
    parser.add_argument("--resume", metavar="PATH", help="go on exactly where this checkpoint was saved, with the same options")
    parser.add_argument("--log", metavar="PATH", help="figures of each epoch as a table (.csv) or as lines of JSON (.jsonl)")
    return parser


def run(args) -> None:
    """Train, evaluate, save."""
    from .. import data, io, manual_seed, train
    from . import recipe, record
    from .catalog import DATASETS, TRAINABLE

    source = DATASETS[args.dataset]
    options = {} if args.root is None or args.dataset == "digits" else {"root": args.root}
    train_set, test_set = source.load(train=True, **options), source.load(train=False, **options)
    metadata = describe_input(train_set)
    count = len(train_set) if args.limit is None else min(args.limit, len(train_set))
    part = data.Subset(train_set, np.arange(count))
    checkpoint = args.checkpoint or args.resume
    callbacks = record.callbacks(args, checkpoint)
    manual_seed(args.seed)
    model = TRAINABLE[args.model].make()
    trainer = recipe.trainer(
        model,
        part,
        test_set,
        source,
        epochs=args.epochs,
        batch_size=args.batch_size,
        lr=args.lr,
        seed=args.seed,
        label_smoothing=args.label_smoothing,
        callbacks=callbacks,
    )
    if args.resume:
        trainer.load(args.resume)
    trainer.fit(args.epochs)
    if trainer.interrupted:
        if checkpoint:
            print(f"stopped after {trainer.step} steps; the same command with --resume {checkpoint} goes on")
        raise KeyboardInterrupt
    io.save(model, args.output, metadata=metadata)
    print(f"test accuracy {train.evaluate(model, test_set).accuracy:.2%}, saved to {args.output}")


def describe_input(dataset) -> dict[str, str]:
    """Return what `fastcnn predict` needs to know about images and classes, as text for the file's metadata."""
    channels, height, width = dataset.shape
    normalize = dataset.normalize
    content = {
        "channels": channels,
        "height": height,
        "width": width,
        "mean": normalize.mean.tolist(),
        "std": normalize.std.tolist(),
        "classes": list(dataset.classes),
    }
    return {"input": json.dumps(content)}
