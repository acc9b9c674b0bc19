"""cli.demo: `fastcnn demo`: train LeNet-5 on digits, remove half of its filters, fine-tune, compare."""

from __future__ import annotations

EPOCHS, FINE_TUNING_EPOCHS = 10, 8
LR, FINE_TUNING_LR = 0.05, 0.05
BATCH_SIZE = 64


def add(subparsers):
    """Describe the command."""
    parser = subparsers.add_parser("demo", help="train LeNet-5 on digits, remove half of its filters, fine-tune, compare")
    parser.add_argument("--seed", type=int, default=0, help="same seed, same weights (default: %(default)s)")
    parser.add_argument("--epochs", type=int, default=EPOCHS, help="epochs before pruning (default: %(default)s)")
    parser.add_argument(
        "--fine-tuning-epochs", type=int, default=FINE_TUNING_EPOCHS, help="epochs after pruning (default: %(default)s)"
    )
    parser.add_argument("--report", default="demo-report.html", metavar="PATH", help="HTML page to write (default: %(default)s)")
    return parser


def run(args) -> None:
    """Train, prune, fine-tune, print the table, write the page."""
    from .. import data, manual_seed, models, prune, report
    from . import recipe
    from .catalog import DATASETS

    source = DATASETS["digits"]
    train_set, held_out = data.digits(train=True), data.digits(train=False)
    options = {"batch_size": BATCH_SIZE, "seed": args.seed, "progress": True}
    manual_seed(args.seed)
    model = models.lenet5()
    example, _ = held_out.batch(slice(0, 1))

    print(f"Training LeNet-5 on {len(train_set):,} digits; {len(held_out)} are held out.")
    history = recipe.fit(model, train_set, held_out, source, epochs=args.epochs, lr=LR, **options)
    print("Removing half of the filters of each layer, the weakest by their L1 norm; then fine-tuning.")
    small = prune.filters(model, example, 0.5)
    fine_tuning = recipe.fit(small, train_set, held_out, source, epochs=args.fine_tuning_epochs, lr=FINE_TUNING_LR, **options)

    figures = report.compare({"LeNet-5": model, "pruned": small}, held_out)
    report.print_comparison(figures)
    _write_page(args, figures, {"LeNet-5": history, "pruned, fine-tuned": fine_tuning})


def _write_page(args, figures, histories) -> None:
    from .. import __version__, report, threads
    from ..cpu import isa
    from ..errors import MissingExtraError

    notes = {
        "Command": f"fastcnn demo --seed {args.seed} --epochs {args.epochs} --fine-tuning-epochs {args.fine_tuning_epochs}",
        "fastcnn": f"{__version__}, instruction set {isa()}, {threads.get_num_threads()} threads ({threads.reason()})",
        "Data": "Optical Recognition of Handwritten Digits, E. Alpaydin and C. Kaynak, DOI 10.24432/C50P49, CC BY 4.0; "
        "a fixed fifth of the images is held out, the rest is trained on",
        "Latency": "wall time of one call on this machine at that moment, the two nets in turn",
    }
    title = "LeNet-5 on digits, before and after removing half of its filters"
    try:
        report.write_html(args.report, title=title, figures=figures, histories=histories, notes=notes)
    except MissingExtraError as error:
        print(f"No {args.report}: {error}")
    else:
        print(f"Curves and table: {args.report}")
