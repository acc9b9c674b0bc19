"""tests.guarded: arrays flush against an unreadable page, so that a read or write beside them ends the process.

`python -m tests.guarded <op>` runs every implementation of the op on guarded inputs and names each call before it is made.
"""

from __future__ import annotations

import ctypes
import mmap
import sys

import numpy as np

from . import cases, fuzz, harness

PAGE = mmap.PAGESIZE
PROT_NONE = 0
_libc = ctypes.CDLL(None, use_errno=True)


def _guarded(shape, dtype, end: str):
    """An array whose first ("start") or last ("end") byte touches a page without access."""
    nbytes = max(int(np.prod(shape)), 1) * np.dtype(dtype).itemsize
    pages = -(-nbytes // PAGE)
    raw = np.frombuffer(mmap.mmap(-1, (pages + 2) * PAGE), np.uint8)
    for page in (0, pages + 1):
        if _libc.mprotect(ctypes.c_void_p(raw.ctypes.data + page * PAGE), ctypes.c_size_t(PAGE), PROT_NONE):
            raise OSError(ctypes.get_errno(), "mprotect")
    start = PAGE if end == "start" else (pages + 1) * PAGE - nbytes
    return raw[start : start + nbytes].view(dtype)[: int(np.prod(shape))].reshape(shape)


def lay(a, end: str, order: str):
    """A guarded copy of `a`, in channels-last ("nhwc") or C order ("nchw")."""
    if order == "nhwc" and a.ndim == 4:
        out = _guarded([a.shape[i] for i in (0, 2, 3, 1)], a.dtype, end).transpose(0, 3, 1, 2)
    else:
        out = _guarded(a.shape, a.dtype, end)
    out[...] = a
    return out


def problems(op: str, count: int):
    """The table's cases of `op`, then `count` random ones."""
    yield from cases.CASES[op].values()
    yield from (fuzz.case(op, number)[0] for number in range(count))


def run(op: str, count: int) -> int:
    """Call every implementation of `op` on guarded arguments; return the number of calls."""
    calls = 0
    for number, case in enumerate(problems(op, count)):
        isa, dtype = harness.ISAS[number % len(harness.ISAS)], harness.DTYPES[number // 7 % 2]
        drawn = harness.arguments(op, case, dtype)
        for end in ("end", "start"):
            for order in ("nhwc", "nchw"):
                args = tuple(lay(a, end, order) if isinstance(a, np.ndarray) else a for a in drawn)
                for impl in harness.implementations(op):
                    if not impl.accepts(*args):
                        continue
                    print(f"{op} {impl.name} isa={isa} {dtype} guard={end} {order} {case}", file=sys.stderr, flush=True)
                    with harness.machine(isa, 1 + number % 2):
                        impl.run(*args)
                    calls += 1
    return calls


if __name__ == "__main__":
    print(run(sys.argv[1], int(sys.argv[2])))
