"""fastcnn.threads: the only owner of the thread count, and why it is what it is."""

from __future__ import annotations

import os
import threading
from importlib import import_module
from operator import index
from pathlib import Path

from .errors import ArgumentError

MAX_THREADS = 256
SPINS = "1000"
_lock = threading.Lock()
_count: int | None = None
_reason = ""
_forked = False


def _load_openmp() -> None:
    """Load the OpenMP runtime with short spins, unless the user chose otherwise; leave the environment as it was.

    GNU's runtime spins for milliseconds at each barrier by default; where other processes hold the cores, a LeNet-5 step of
    1.4 ms took 9 to 400. With SPINS it takes 5 to 11 there, and 1.4 as before on idle cores (without any spin 4 to 7, and
    1.6). The runtime reads the variable once, when it is loaded.
    """
    chosen = any(name in os.environ for name in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY"))
    if not chosen:
        os.environ["GOMP_SPINCOUNT"] = SPINS
    try:
        import_module("fastcnn.cpu_probe")
    finally:
        if not chosen:
            del os.environ["GOMP_SPINCOUNT"]


def _affinity() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _read(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""


def cgroup_quota() -> float | None:
    """CPUs allowed by the control group (version 2, then 1), or None when there is no limit."""
    own = next((line.split(":", 2)[2].strip() for line in _read("/proc/self/cgroup").splitlines() if line.startswith("0::")), "/")
    limits = []
    folder = Path("/sys/fs/cgroup") / own.lstrip("/")
    for place in (folder, *folder.parents):  # a limit on any ancestor binds
        fields = _read(f"{place}/cpu.max").split()
        if len(fields) == 2 and fields[0] != "max":
            limits.append(int(fields[0]) / int(fields[1]))
        if place == Path("/sys/fs/cgroup"):
            break
    quota, period = (_read(f"/sys/fs/cgroup/cpu/cpu.cfs_{name}_us").strip() for name in ("quota", "period"))
    if quota and period and int(quota) > 0:
        limits.append(int(quota) / int(period))
    return min(limits) if limits else None


def _from_environment() -> tuple[int, str] | None:
    for name in ("FASTCNN_NUM_THREADS", "OMP_NUM_THREADS"):
        text = os.environ.get(name, "").split(",")[0].strip()
        if not text:
            continue
        if text.isdecimal() and 1 <= int(text) <= MAX_THREADS:
            return int(text), f"{name}={text}"
        if name.startswith("FASTCNN"):
            raise ArgumentError(f"{name} must be an int between 1 and {MAX_THREADS}, got {text!r}")
    return None


def _default() -> tuple[int, str]:
    named = _from_environment()
    if named:
        return named
    cpus, reason = _affinity(), "CPU affinity"
    quota = cgroup_quota()
    if quota is not None and quota < cpus:
        cpus, reason = max(1, int(quota)), f"cgroup quota of {quota:g} CPUs"
    return min(cpus, MAX_THREADS), reason


def get_num_threads() -> int:
    """Return the number of threads that kernels use (1 in a forked child)."""
    global _count, _reason
    if _count is None:
        with _lock:
            if _count is None:
                _count, _reason = _default()
    return 1 if _forked else _count


def set_num_threads(n: int) -> None:
    """Set the number of threads that kernels use, 1 to 256; results do not depend on it, not in one bit.

    Raises ArgumentError when `n` is not an int in that range. In a forked child the count stays 1: the OpenMP pool of
    the parent does not survive a fork.
    """
    global _count, _reason
    if not hasattr(n, "__index__") or isinstance(n, bool) or not 1 <= index(n) <= MAX_THREADS:
        raise ArgumentError(f"set_num_threads: n must be an int between 1 and {MAX_THREADS}, got {n!r}")
    with _lock:
        _count, _reason = index(n), "set_num_threads"


def reason() -> str:
    """Say where the thread count comes from."""
    get_num_threads()
    return "forked child" if _forked else _reason


def _after_fork_in_child() -> None:
    global _forked, _lock
    _forked = True
    _lock = threading.Lock()  # the parent may have held it at the fork


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)

_load_openmp()
