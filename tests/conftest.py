"""tests.conftest: what every test leaves behind: the thread count and the floating-point state it has found."""

from __future__ import annotations

import os
import signal

# A shell's background jobs ignore Ctrl-C, and so would every process that a test starts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
# Two thread pools that wait by spinning, NumPy's and the kernels', would take turns on few cores: ten times slower.
os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ["OMP_WAIT_POLICY"] = "passive"

import numpy as np
import pytest

from fastcnn import threads


@pytest.fixture(autouse=True)
def unchanged_state():
    """Restore the thread count; fail when the test left flush-to-zero set in the main thread."""
    before = threads.get_num_threads()
    yield
    threads.set_num_threads(before)
    smallest_normal = np.array([np.finfo(np.float32).tiny])
    assert (smallest_normal / 2 > 0).all(), "the test left flush-to-zero set"
