"""tests.test_overflow: sizes that overflow are refused at once, by an error of ours, before any memory is taken."""

from __future__ import annotations

import time
import tracemalloc

import numpy as np
import pytest

import fastcnn.nn.functional as F
from fastcnn import nn
from fastcnn.errors import FastcnnError

HUGE = (2**31, 2**32, 2**40, 2**62, 2**63, 2**64, 10**30)
SECONDS, BYTES = 0.1, 1 << 20


def huge(*shape):
    """An array of any shape that takes four bytes."""
    return np.broadcast_to(np.float32(1), shape)


X, W = huge(1, 3, 8, 8), huge(4, 3, 3, 3)
CALLS = {
    **{f"conv2d dilation {n}": lambda n=n: F.conv2d(X, W, dilation=n) for n in HUGE},
    **{f"conv2d dilation (1, {n})": lambda n=n: F.conv2d(X, W, dilation=(1, n)) for n in HUGE},
    **{f"conv2d stride {n}": lambda n=n: F.conv2d(X, W, stride=n) for n in HUGE},
    **{f"conv2d padding {n}": lambda n=n: F.conv2d(X, W, padding=n) for n in HUGE},
    **{f"conv2d padding (0, 0, 0, {n})": lambda n=n: F.conv2d(X, W, padding=(0, 0, 0, n)) for n in HUGE[:4]},
    **{f"conv2d groups {n}": lambda n=n: F.conv2d(X, W, groups=n) for n in HUGE[:3]},
    **{f"max_pool2d kernel {n}": lambda n=n: F.max_pool2d(X, n) for n in HUGE},
    **{f"max_pool2d dilation {n}": lambda n=n: F.max_pool2d(X, 2, dilation=n) for n in HUGE},
    **{f"max_pool2d stride {n}": lambda n=n: F.max_pool2d(X, 2, stride=n) for n in HUGE},
    **{f"avg_pool2d kernel (1, {n})": lambda n=n: F.avg_pool2d(X, (1, n)) for n in HUGE[:4]},
    **{f"avg_pool2d padding {n}": lambda n=n: F.avg_pool2d(X, 2, padding=n) for n in HUGE[:4]},
    "conv2d image of 2^36 pixels, 2^10 channels out": lambda: F.conv2d(huge(1, 1, 2**18, 2**18), huge(1024, 1, 1, 1)),
    "conv2d batch 2^40": lambda: F.conv2d(huge(2**40, 1, 2, 2), huge(2, 1, 1, 1)),
    "conv2d padded to 2^41": lambda: F.conv2d(huge(2, 1, 1, 1), huge(1, 1, 1, 1), padding=2**20),
    "conv2d kernel of 2^52 taps": lambda: F.conv2d(X, huge(1, 3, 2**26, 2**26)),
    "conv2d channels 2^40 against 3": lambda: F.conv2d(huge(1, 2**40, 1, 1), W),
    "Conv2d dilation 2^31": lambda: nn.Conv2d(3, 4, 3, dilation=2**31),
    "Conv2d padding 2^40": lambda: nn.Conv2d(3, 4, 3, padding=2**40),
}


@pytest.mark.parametrize("name", CALLS)
def test_refused_at_once_without_memory(name):
    tracemalloc.start()
    try:
        start = time.process_time()
        with pytest.raises((FastcnnError, OverflowError)) as caught:
            CALLS[name]()
        seconds, peak = time.process_time() - start, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert isinstance(caught.value, FastcnnError), f"{type(caught.value).__name__}: {caught.value}"
    assert seconds < SECONDS and peak < BYTES, (seconds, peak)
    assert name.split()[0].lower() in str(caught.value).lower(), "the error does not name the operation"


def test_there_are_64():
    assert len(CALLS) >= 64
