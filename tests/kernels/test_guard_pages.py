"""tests.kernels.test_guard_pages: no kernel reads or writes beside its inputs; each op in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from .. import fuzz, harness
from ..problems import PROBLEMS

ROOT = Path(__file__).parents[2]
COMPILED = [op for op in PROBLEMS if harness.implementations(op)]


def python(*arguments):
    return subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=600 + fuzz.count())


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs mmap and mprotect")
@pytest.mark.parametrize("op", COMPILED)
def test_no_access_beside_the_inputs(op):
    done = python("-m", "tests.guarded", op, str(fuzz.count() // 4))
    assert done.returncode == 0, f"ended with {done.returncode}; last calls:\n" + "\n".join(done.stderr.splitlines()[-3:])
    assert int(done.stdout) > 0


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs mmap and mprotect")
@pytest.mark.parametrize(("end", "offset"), [("end", 4), ("start", -4)])
def test_guard_ends_a_process_that_reads_beside(end, offset):
    code = f"""
import ctypes, numpy as np
from tests.guarded import lay
a = lay(np.ones((2, 3, 4, 5), np.float32), {end!r}, "nhwc")
assert a.sum() == 120
first = a.ctypes.data if {end!r} == "start" else a.ctypes.data + a.nbytes - 4
print(ctypes.c_float.from_address(first).value, flush=True)
ctypes.c_float.from_address(first + {offset}).value
"""
    done = python("-c", code)
    assert done.stdout.strip() == "1.0" and done.returncode == -11
