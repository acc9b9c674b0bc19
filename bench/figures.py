"""bench.figures: pytest-benchmark's JSON as rows, tables, geometric means and gates."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields
from pathlib import Path


@dataclass
class Row:
    """One benchmark: our seconds per call and those of every peer that ran in the same rounds."""

    table: str
    row: str
    seconds: float
    peak: float
    bandwidth: float
    algorithm: str = ""
    count: int = 1
    flops: float = 0.0
    bytes: float = 0.0
    loops: int = 1
    peers: dict[str, float] = field(default_factory=dict)

    @property
    def rate(self) -> float:
        """GFLOP/s where operations are counted, else GB/s, else 0."""
        return (self.flops or self.bytes) / self.seconds * 1e-9

    @property
    def unit(self) -> str:
        return "GFLOP/s" if self.flops else "GB/s" if self.bytes else ""

    @property
    def share(self) -> float:
        """The rate as a share of the limit that was measured in the same run."""
        return self.rate / (self.peak if self.flops else self.bandwidth)

    @property
    def ratio(self) -> float | None:
        """How many times faster than the best peer; None without peers."""
        return min(self.peers.values()) / self.seconds if self.peers else None

    @property
    def derived(self) -> dict:
        """What a reader of the JSON would compute first: rate, share of the limit, ratio to each peer."""
        ratios = {name: seconds / self.seconds for name, seconds in self.peers.items()}
        return {"rate": self.rate, "unit": self.unit, "share": self.share, "ratios": ratios}


@dataclass
class Table:
    """The rows of one table, with the fastest algorithm of each row."""

    name: str
    rows: list[Row]

    @property
    def peers(self) -> list[str]:
        return list(dict.fromkeys(name for row in self.rows for name in row.peers))

    @property
    def unit(self) -> str:
        return self.rows[0].unit

    @property
    def has_algorithms(self) -> bool:
        return any(row.algorithm for row in self.rows)

    @property
    def best(self) -> list[Row]:
        """The fastest algorithm of every row."""
        fastest: dict[str, Row] = {}
        for row in self.rows:
            if row.row not in fastest or row.seconds < fastest[row.row].seconds:
                fastest[row.row] = row
        return list(fastest.values())

    @property
    def mean_share(self) -> float:
        return geometric_mean(row.share for row in self.best)

    @property
    def mean_ratio(self) -> float | None:
        ratios = [row.ratio for row in self.best if row.ratio is not None]
        return geometric_mean(ratios) if ratios else None

    @property
    def wins(self) -> int:
        """Rows in which we are faster than every peer."""
        return sum(1 for row in self.best if row.ratio is not None and row.ratio > 1)


@dataclass(frozen=True)
class Gate:
    """A bound that a group of rows should reach, by its geometric mean or by its worst row."""

    name: str
    takes: Callable[[Row], bool]
    value: Callable[[Row], float | None]
    join: Callable[[Iterable[float]], float]
    bound: float


def geometric_mean(values: Iterable[float]) -> float:
    logs = [math.log(value) for value in values]
    return math.exp(sum(logs) / len(logs))


def _resnet18(row: Row, direction: str, algorithm: str) -> bool:
    """Layers of ResNet-18 behind the stem: all of them have 64 channels or more."""
    named = row.table.startswith(f"Convolution, {direction}, resnet18")
    return named and row.algorithm == algorithm and not row.row.startswith("conv7x7")


GATES = (
    Gate(
        "direct convolution forward, ResNet-18 layers with 64 or more channels, geometric mean of the share of peak",
        lambda row: _resnet18(row, "forward", "direct"),
        lambda row: row.share,
        geometric_mean,
        0.75,
    ),
    Gate(
        "the same, worst layer",
        lambda row: _resnet18(row, "forward", "direct"),
        lambda row: row.share,
        min,
        0.75,
    ),
    Gate(
        "matrix product 512 x 512 x 512, share of peak",
        lambda row: row.table == "GEMM" and row.row.startswith("cube-512"),
        lambda row: row.share,
        min,
        0.75,
    ),
    Gate(
        "Winograd forward, 3x3 stride-1 layers of ResNet-18, geometric mean of the ratio to the best PyTorch layout",
        lambda row: _resnet18(row, "forward", "winograd"),
        lambda row: row.ratio,
        geometric_mean,
        1.7,
    ),
)


def gates(rows: list[Row]) -> list[tuple[str, float, float]]:
    """Return (name, value, bound) of every gate that has figures in these rows."""
    found = []
    for gate in GATES:
        values = [value for row in rows if gate.takes(row) and (value := gate.value(row)) is not None]
        if values:
            found.append((gate.name, gate.join(values), gate.bound))
    return found


def read(path: Path) -> tuple[dict, list[Row]]:
    """Return the description of the machine and the rows of a pytest-benchmark file."""
    document = json.loads(path.read_text())
    names = {item.name for item in fields(Row)}
    infos = [benchmark["extra_info"] for benchmark in document["benchmarks"]]
    rows = [Row(**{name: value for name, value in info.items() if name in names}) for info in infos]
    machine = document["machine_info"]
    about = {
        "date": document["datetime"][:16].replace("T", " "),
        "processor": machine["cpu"].get("brand_raw", machine["machine"]),
        "system": f"{machine['system']} {machine['release']}",
        "commit": document["commit_info"].get("id", "unknown")[:12],
        **machine["fastcnn"],
    }
    return about, rows


def tables(rows: list[Row]) -> list[Table]:
    """Return the rows by table, both in the order in which they ran."""
    names = dict.fromkeys(row.table for row in rows)
    return [Table(name, [row for row in rows if row.table == name]) for name in names]
