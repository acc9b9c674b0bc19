"""bench.gates: the bounds that the kernels and the training steps should reach, evaluated on the rows of a run."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from bench import layers
from bench.figures import Row, geometric_mean

DIRECTIONS = ("forward", "backward_data", "backward_weight")
BATCH = 16  # of the convolutions in the gates
PEAK = "measured peak"


class Gate(NamedTuple):
    """A bound that a group of rows should reach, by their geometric mean or by their worst.

    `gate` is the floor and `aim` the goal; `expected` is how many rows the group has in a complete run.
    """

    name: str
    against: str
    takes: Callable[[Row], bool]
    value: Callable[[Row], float | None]
    join: Callable[[Iterable[float]], float]
    gate: float
    aim: float
    expected: int = 1


class Result(NamedTuple):
    """A gate with its figure; `value` is None when the run has no row for it."""

    name: str
    against: str
    gate: float
    aim: float
    value: float | None
    rows: int
    expected: int

    @property
    def verdict(self) -> str:
        if self.value is None:
            return "not run"
        return "aim met" if self.value >= self.aim else "met" if self.value >= self.gate else "missed"

    def text(self, number: float) -> str:
        """Return a figure as this gate states it: per cent of a limit, or times."""
        return f"{100 * number:.0f} %" if self.against == PEAK else f"{number:.2f} x"


def winograd_layer(name: str) -> bool:
    """Whether a layer is 3x3 with stride 1 and dense: what Winograd's algorithm can take."""
    return name.startswith("conv3x3_")


def direct_layer(name: str) -> bool:
    """Whether a layer is 1x1 or 3x3 and dense."""
    return name.startswith(("conv1x1", "conv3x3"))


def _count(networks: tuple[str, ...], takes: Callable[[str], bool]) -> int:
    return sum(takes(layer.name) for network in networks for layer in layers.load(network))


def _convolution(row: Row, networks: tuple[str, ...], takes: Callable[[str], bool], direction: str = "") -> bool:
    at = row.network in networks and row.batch == BATCH and row.direction in ((direction,) if direction else DIRECTIONS)
    return at and takes(row.row)


def _peak_gates() -> list[Gate]:
    nets = ("resnet18", "resnet50")

    def direct(row: Row) -> float | None:
        return row.share_of("direct") or None

    def takes(row: Row) -> bool:
        return _convolution(row, nets, direct_layer, "forward")

    what = f"1x1 and direct 3x3 layers of ResNet-18 and -50, forward, b{BATCH}"
    count = _count(nets, direct_layer)
    cube = Gate(
        "GEMM 512^3",
        PEAK,
        lambda r: r.table == "GEMM" and r.row.startswith("cube-512"),
        lambda r: r.share,
        min,
        0.85,
        0.95,
    )
    return [
        cube,
        Gate(f"{what}, geometric mean", PEAK, takes, direct, geometric_mean, 0.85, 0.95, count),
        Gate(f"{what}, worst layer", PEAK, takes, direct, min, 0.85, 0.95, count),
    ]


def _peer_gates() -> list[Gate]:
    best, nets = "best PyTorch layout", ("resnet18", "vgg16")

    def ratio(row: Row) -> float | None:
        return row.ratio

    found = []
    for direction, gate in zip(DIRECTIONS, (2.3, 2.2, 2.0), strict=True):
        name = f"3x3 stride-1 layers of ResNet-18 and VGG-16, b{BATCH}, {direction.replace('_', ' ')}, geometric mean"

        def takes(row: Row, direction=direction) -> bool:
            return _convolution(row, nets, winograd_layer, direction)

        found.append(Gate(name, best, takes, ratio, geometric_mean, gate, 3.0, _count(nets, winograd_layer)))
    others = ("resnet18", "resnet50", "mobilenet_v2")

    def other_layer(name: str) -> bool:
        return not winograd_layer(name)

    def other(row: Row) -> bool:
        return _convolution(row, others, other_layer)

    what = f"every other layer of ResNet-18, ResNet-50 and MobileNetV2, b{BATCH}, three directions"
    count = len(DIRECTIONS) * _count(others, other_layer)
    found.append(Gate(f"{what}, geometric mean", best, other, ratio, geometric_mean, 1.1, 1.4, count))
    found.append(Gate(f"{what}, worst layer", best, other, ratio, min, 0.8, 0.8, count))
    return found


# row of the table "Training step": gate, aim
STEPS = {
    "LeNet-5, batch 64": (3.0, 4.0),
    "LeNet-5 captured, batch 64": (3.0, 4.0),
    "ResNet-20, batch 128": (2.0, 2.5),
    "ResNet-20 captured, batch 128": (2.0, 2.5),
    "VGG-16 (CIFAR form), batch 128": (2.2, 2.6),
    "MobileNetV2, batch 16": (2.0, 3.0),
    "MobileNetV2 captured, batch 16": (2.0, 3.0),
    "ResNet-18, batch 16": (2.0, 2.4),
    "ResNet-50, batch 8": (1.5, 1.8),
    "ResNet-50 captured, batch 8": (1.5, 1.8),
}


def _step_gates() -> list[Gate]:
    return [
        Gate(
            f"training step, {name}",
            "best PyTorch layout",
            lambda r, name=name: r.table == "Training step" and r.row == name,
            lambda r: r.ratio,
            min,
            gate,
            aim,
        )
        for name, (gate, aim) in STEPS.items()
    ]


GATES = (*_peak_gates(), *_peer_gates(), *_step_gates())
# Fashion-MNIST to this test accuracy, from the file of bench.fashion_mnist: gate, aim
FASHION_ACCURACY, FASHION = 0.933, (3.0, 4.0)


def fashion(record: dict | None) -> Result:
    """Return the gate on the seconds to an accuracy; `record` is what bench.fashion_mnist wrote.

    Where a seed misses the accuracy, the seconds of the same epochs are compared, and the mean of our seeds has to reach it; else
    the figure is 0.
    """
    name = f"Fashion-MNIST, same net and recipe, seconds to {FASHION_ACCURACY:.1%} test accuracy"
    value = record["speedup"] if record else None
    if record and value is None:
        ours, theirs = record["table"].values()
        value = theirs["seconds"] / ours["seconds"] if ours["accuracy"] >= FASHION_ACCURACY else 0.0
        name += f" (all epochs: reached with {ours['reached']} and {theirs['reached']} of {record['seeds']} seeds, means"
        name += f" {ours['accuracy']:.2%} and {theirs['accuracy']:.2%})"
    return Result(name, "PyTorch channels-last", *FASHION, value, int(value is not None), 1)


def evaluate(gate: Gate, rows: list[Row]) -> Result:
    """Return the gate with its figure from these rows."""
    values = [value for row in rows if gate.takes(row) and (value := gate.value(row)) is not None]
    joined = gate.join(values) if values else None
    return Result(gate.name, gate.against, gate.gate, gate.aim, joined, len(values), gate.expected)


def of_peak(rows: list[Row]) -> list[Result]:
    """Return the gates on the share of the measured peak: what can be said of an instruction set without peers."""
    return [evaluate(gate, rows) for gate in GATES if gate.against == PEAK]


def results(rows: list[Row], record: dict | None = None) -> list[Result]:
    """Return every gate with its figure from these rows."""
    return [*(evaluate(gate, rows) for gate in GATES), fashion(record)]
