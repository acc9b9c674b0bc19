"""bench.limits: what this machine can do at most, measured in the run that quotes it, and whether it is idle."""

from __future__ import annotations

import time
from pathlib import Path

from fastcnn.kernels import probe


def measure(threads: int) -> dict[str, float]:
    """Return the best of three measurements of the FMA peak [GFLOP/s] and the memory bandwidth [GB/s] on some threads."""
    return {
        "peak": max(probe.fma_peak(threads) for _ in range(3)),
        "bandwidth": max(probe.bandwidth(threads) for _ in range(3)),
    }


def others(seconds: float = 0.3) -> float:
    """Return the share of the CPUs that is busy while this process sleeps; 0 where /proc/stat does not exist."""
    start = _ticks()
    time.sleep(seconds)
    busy, total = (now - before for now, before in zip(_ticks(), start, strict=True))
    return busy / total if total else 0.0


def wait_until_idle(patience: float) -> None:
    """Wait until other processes take less than a tenth of the CPUs, `patience` seconds at most."""
    end = time.monotonic() + patience
    while time.monotonic() < end and others() > 0.1:
        pass


def _ticks() -> tuple[int, int]:
    """Return the busy and all clock ticks of the machine since it started."""
    stat = Path("/proc/stat")
    if not stat.exists():
        return 0, 0
    # cpu  user nice system idle iowait irq softirq steal ...
    fields = [int(field) for field in stat.read_text().split("\n", 1)[0].split()[1:9]]
    return sum(fields) - fields[3] - fields[4], sum(fields)
