"""cli.bench: `fastcnn bench`: time inference and a training step of a model on this machine."""

from __future__ import annotations

NAMES = ["lenet5", "vgg_small", "resnet20", "vgg16_cifar", "mobilenet_v2", "resnet18", "resnet50"]


def add(subparsers):
    """Describe the command."""
    parser = subparsers.add_parser("bench", help="time inference and a training step of a model on this machine")
    parser.add_argument("--model", choices=NAMES, default="lenet5", help="default: %(default)s")
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 64], metavar="N", help="batch sizes (default: 1 64)")
    parser.add_argument("--seconds", type=float, default=1.0, help="time for each figure (default: %(default)s)")
    return parser


def run(args) -> None:
    """Print one line per batch size and kind of work."""
    import numpy as np

    from .. import Tensor, graph, manual_seed, optim, threads
    from ..cpu import isa
    from ..errors import ArgumentError
    from ..nn import functional as F
    from ..report.latency import measure_latency, time_in_turn
    from .catalog import NETS

    if min(args.batch) < 1:
        raise ArgumentError(f"--batch must be at least 1, got {min(args.batch)}")
    manual_seed(0)
    net = NETS[args.model]
    model = net.make()
    generator = np.random.default_rng(0)
    print(f"{args.model}, float32, instruction set {isa()}, {threads.get_num_threads()} threads ({threads.reason()})")
    print(f"{'work':<10}{'batch':>6}{'p50 ms':>11}{'p95 ms':>11}{'images/s':>11}{'GMAC/s':>9}")
    for batch in args.batch:
        x = Tensor(generator.standard_normal((batch, *net.shape), dtype=np.float32))
        y = generator.integers(0, 10, batch)
        optimizer = optim.SGD(model.parameters(), lr=1e-4, momentum=0.9)

        def step(x=x, y=y, optimizer=optimizer):
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            optimizer.step()

        macs = graph.trace(model, x).macs
        latency = measure_latency(model, x, seconds=args.seconds)
        print(_line("inference", batch, latency, macs))
        if batch > 1:  # batch-norm has no statistics of one value per channel
            model.train()
            print(_line("training", batch, time_in_turn([step], seconds=args.seconds)[0], 3 * macs))


def _line(work: str, batch: int, latency, macs: int) -> str:
    return (
        f"{work:<10}{batch:>6}{latency.p50 * 1e3:>11.3f}{latency.p95 * 1e3:>11.3f}"
        f"{batch / latency.p50:>11,.0f}{macs / latency.p50 / 1e9:>9.1f}"
    )
