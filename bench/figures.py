"""bench.figures: pytest-benchmark's JSON as rows, tables, geometric means, wins and losses."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from pathlib import Path


@dataclass
class Row:
    """One benchmark: our seconds per call and those of every candidate and peer that ran in the same rounds.

    `seconds` is the time of what a user gets without asking: `algorithm`, where there is a choice. `candidates` are our
    other algorithms that take the case.
    """

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
    network: str = ""
    direction: str = ""
    batch: int = 0
    candidates: dict[str, float] = field(default_factory=dict)
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
        return self.share_of(self.algorithm)

    def seconds_of(self, algorithm: str) -> float | None:
        """Return the time of one of our algorithms; None when it did not run."""
        return self.seconds if algorithm == self.algorithm else self.candidates.get(algorithm)

    def share_of(self, algorithm: str) -> float:
        """Return the share of the limit that one of our algorithms reaches; 0 when it did not run."""
        seconds = self.seconds_of(algorithm)
        limit = self.peak if self.flops else self.bandwidth
        return (self.flops or self.bytes) / seconds * 1e-9 / limit if seconds else 0.0

    @property
    def best_peer(self) -> float | None:
        """Seconds of the fastest peer; None without peers."""
        return min(self.peers.values()) if self.peers else None

    @property
    def ratio(self) -> float | None:
        """How many times faster than the best peer; None without peers."""
        return self.best_peer / self.seconds if self.best_peer else None

    @property
    def better_choice(self) -> str:
        """The candidate that took less time by a twentieth or more than the chosen algorithm; empty when none did."""
        name = min(self.candidates, key=self.candidates.__getitem__, default="")
        return name if name and self.candidates[name] < 0.95 * self.seconds else ""

    @property
    def derived(self) -> dict:
        """What a reader of the JSON would compute first: rate, share of the limit, ratio to each peer."""
        ratios = {name: seconds / self.seconds for name, seconds in self.peers.items()}
        return {"rate": self.rate, "unit": self.unit, "share": self.share, "ratios": ratios}


@dataclass
class Table:
    """The rows of one table."""

    name: str
    rows: list[Row]

    @property
    def peers(self) -> list[str]:
        return list(dict.fromkeys(name for row in self.rows for name in row.peers))

    @property
    def algorithms(self) -> list[str]:
        """Our algorithms that ran in this table; empty where there is no choice."""
        names = (name for row in self.rows for name in (row.algorithm, *row.candidates))
        return list(dict.fromkeys(name for name in names if name))

    @property
    def unit(self) -> str:
        return self.rows[0].unit

    @property
    def mean_share(self) -> float:
        return geometric_mean(row.share for row in self.rows)

    @property
    def compared(self) -> list[Row]:
        """The rows that have a peer."""
        return [row for row in self.rows if row.ratio is not None]

    @property
    def mean_ratio(self) -> float | None:
        ratios = [row.ratio for row in self.compared if row.ratio]
        return geometric_mean(ratios) if ratios else None

    @property
    def total_ratio(self) -> float | None:
        """The peers' best times over ours, summed over the layers of a network as often as it has them; None elsewhere."""
        ours = sum(row.count * row.seconds for row in self.compared if row.network)
        return sum(row.count * (row.best_peer or 0.0) for row in self.compared) / ours if ours else None

    @property
    def wins(self) -> int:
        """Rows in which we are faster than every peer."""
        return sum(1 for row in self.compared if (row.ratio or 0.0) > 1)

    @property
    def losses(self) -> int:
        return len(self.compared) - self.wins


def geometric_mean(values: Iterable[float]) -> float:
    logs = [math.log(value) for value in values]
    return math.exp(sum(logs) / len(logs))


def losses(rows: list[Row]) -> list[Row]:
    """Return the rows in which a peer is faster, the worst first."""
    return sorted((row for row in rows if row.ratio is not None and row.ratio <= 1), key=lambda row: row.ratio or 0.0)


def poor_choices(rows: list[Row]) -> list[Row]:
    """Return the rows in which another of our algorithms would have been faster by a twentieth or more."""
    return [row for row in rows if row.better_choice]


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
