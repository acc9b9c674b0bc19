"""bench.limits: what this machine can do at most, measured in the run that quotes it."""

from __future__ import annotations

from fastcnn.kernels import probe


def measure(threads: int) -> dict[str, float]:
    """Return the best of three measurements of the FMA peak [GFLOP/s] and the memory bandwidth [GB/s] on some threads."""
    return {
        "peak": max(probe.fma_peak(threads) for _ in range(3)),
        "bandwidth": max(probe.bandwidth(threads) for _ in range(3)),
    }
