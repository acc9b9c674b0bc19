"""fastcnn.config: what this installation is and what it runs on, for bug reports and benchmarks."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import numpy

from . import cpu, policy, threads
from .errors import ArgumentError

_OPENMP_NAMES = ("libgomp", "libomp", "libiomp5")


def _openmp_runtimes() -> list[str]:
    """Paths of the OpenMP runtimes that are loaded in this process (Linux; an empty list elsewhere)."""
    try:
        maps = Path("/proc/self/maps").read_text()
    except OSError:
        return []
    paths = {line.split(maxsplit=5)[5] for line in maps.splitlines() if line.count(" ") >= 5 and "/" in line}
    return sorted(p for p in paths if Path(p).name.startswith(_OPENMP_NAMES))


def config() -> dict[str, object]:
    """Return versions, processor, instruction set, threads and OpenMP runtimes as a dict."""
    from . import __version__

    return {
        "fastcnn": __version__,
        "python": platform.python_version(),
        "numpy": numpy.__version__,
        "platform": platform.platform(),
        "processor": cpu.processor(),
        "isa": cpu.isa(),
        "isa_reason": cpu.reason(),
        "isa_available": list(cpu.available()),
        "threads": threads.get_num_threads(),
        "threads_reason": threads.reason(),
        "cpus_affinity": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "cpus_cgroup_quota": threads.cgroup_quota(),
        "plan_mode": policy.plan_mode(),
        "plan_cache": str(policy.plan_file() or ""),
        "openmp_runtimes": _openmp_runtimes(),
    }


def show_config(mode: str = "print") -> dict[str, object] | None:
    """Print the configuration; with mode="dict" return it instead.

    Names a clash when more than one OpenMP runtime is loaded: each has its own pool, and together they may start more
    threads than there are CPUs. Raises ArgumentError for another mode.
    """
    if mode not in ("print", "dict"):
        raise ArgumentError(f"show_config: mode must be 'print' or 'dict', got {mode!r}")
    found = config()
    if mode == "dict":
        return found
    for name, value in found.items():
        print(f"{name + ':':20s}{', '.join(map(str, value)) if isinstance(value, list) else value}")
    runtimes = found["openmp_runtimes"]
    if isinstance(runtimes, list) and len(runtimes) > 1:
        advice = "more than one OpenMP runtime in this process; set OMP_NUM_THREADS so that their pools share the CPUs"
        print(f"{'warning:':20s}{advice}")
    return None
