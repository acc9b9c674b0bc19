"""tests.kernels.test_clip: norms and limits of lists of arrays against NumPy, for every ISA, thread count and memory order."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from fastcnn.errors import ArgumentError, DtypeError
from fastcnn.kernels import entry
from fastcnn.kernels.clip import clip_values, total_norm

from ..harness import ISAS, machine

SHAPES = ((), (1,), (7,), (33,), (5, 3), (4, 3, 2, 2), (40_001,), (0, 3))


def arrays(seed=0):
    rng = np.random.default_rng(seed)
    made = [np.asarray(rng.standard_normal(s)).astype("fd"[i % 2]) for i, s in enumerate(SHAPES)]
    made.append(rng.standard_normal((2, 6, 5, 3), np.float32).transpose(0, 3, 1, 2))  # channels-last
    made.append(rng.standard_normal((9, 8), np.float32)[::2, ::-3])  # holes
    return made


def norm_of(values, power):
    flat = np.concatenate([np.abs(a.astype("f8")).ravel() for a in values])
    return flat.max() if power == np.inf else (flat**power).sum() ** (1 / power)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("power", [2.0, 1.0, np.inf, 3.0, 0.5])
@pytest.mark.parametrize("share", [0.3, 1.5])
def test_norm(isa, power, share):
    seen = []
    for threads in (1, 2, 3):
        with machine(isa, 1):
            given = arrays()
            want = norm_of(given, power)
            norm = total_norm(given, power, want * share, threads=threads)
            assert norm.dtype == np.float64 and norm.shape == () and norm == pytest.approx(want, rel=1e-12)
            factor = share * want / (want + 1e-6) if share < 1 else 1
            for a, b in zip(given, arrays(), strict=True):
                np.testing.assert_allclose(a, b * factor, rtol=1e-6 if a.dtype == "f4" else 1e-13)
            seen.append((norm.tobytes(), *(a.tobytes() for a in given)))
    assert seen[0] == seen[1] == seen[2]


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("threads", [1, 2])
def test_values(isa, threads):
    given = arrays()
    given[6][[3, 5, 9]] = np.nan, np.inf, -np.inf
    want = [a.clip(-0.5, 0.5) for a in given]
    with machine(isa, 1):
        clip_values(given, 0.5, threads=threads)
    for a, b in zip(given, want, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("power", [2.0, 1.0, np.inf])
@pytest.mark.parametrize("place", [0, 20_000, 40_000])
def test_nan_and_infinity(power, place):
    x = np.ones(40_001, np.float32)
    x[place] = np.nan
    assert np.isnan(total_norm([x], power))
    x[place] = -np.inf
    assert total_norm([x], power) == np.inf
    x[(place + 100) % len(x)] = np.nan
    assert np.isnan(total_norm([x], power)) and (x == 1).sum() == len(x) - 2
    total_norm([x], power, 1.0)
    assert np.isnan(x).all()


def test_nothing():
    assert total_norm([]) == 0 and total_norm([np.zeros((0, 2))], np.inf, 1.0) == 0
    clip_values([], 1.0)


def test_measuring_changes_nothing():
    given = arrays()
    for a in given:
        a.flags.writeable = False
    assert total_norm(given) == total_norm(arrays())


def test_a_replay_measures_anew():
    given = [a for a in arrays() if a.flags.forc or a.ndim == 4]
    recording = entry.Recording()
    recording.start()
    try:
        norm = total_norm(given, 2.0, 5.0, threads=2)
        clip_values(given, 0.1, threads=2)
    finally:
        recording.stop()
    assert recording.refused is None and len(recording) == 2
    for seed in (1, 2):
        fresh = [a for a in arrays(seed) if a.flags.forc or a.ndim == 4]
        for a, b in zip(given, fresh, strict=True):
            a[...] = b
        recording.replay()
        assert norm == total_norm(fresh, 2.0, 5.0)
        clip_values(fresh, 0.1)
        assert all(np.array_equal(a, b) for a, b in zip(given, fresh, strict=True))


def test_refusals():
    with pytest.raises(DtypeError, match="clip: arrays must be float32 or float64, got int64"):
        total_norm([np.arange(3)])
    fixed = np.ones(3)
    fixed.flags.writeable = False
    for function in (lambda: total_norm([fixed], 2.0, 1.0), lambda: clip_values([fixed], 1.0)):
        with pytest.raises(ArgumentError, match=r"clip: an array is read-only \(shape \(3,\)\)"):
            function()
    for power, limit in ((0.0, 1.0), (-1.0, 1.0), (np.nan, 1.0), (2.0, -1.0), (2.0, np.nan)):
        with pytest.raises(ArgumentError, match="total_norm: power must be above 0 and limit at least 0"):
            total_norm([], power, limit)
    with pytest.raises(ArgumentError, match="clip_values: limit must be at least 0, got nan"):
        clip_values([], np.nan)


@pytest.mark.parametrize("isa", ISAS)
def test_the_state_of_the_caller_stays_and_denormals_are_zero(isa):
    with machine(isa, 2):
        np.float32(1) / np.float32(3)  # leaves a sticky flag
        before = entry.float_state()
        assert total_norm([np.full(40_000, 1e-40, np.float32)], 2.0, threads=2) == 0
        clip_values([np.ones(40_000, np.float32)], 0.5, threads=2)
        total_norm(arrays(), 2.0, 0.1, threads=2)
        assert entry.float_state() == before


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs mmap and mprotect")
def test_no_access_beside_the_arrays():
    code = """
import subprocess
import sys
from pathlib import Path

import numpy as np
from fastcnn.kernels.clip import clip_values, total_norm
from tests.guarded import lay
from tests.harness import ISAS, machine
for isa in ISAS:
    with machine(isa, 1):
        for end in ("start", "end"):
            for dtype in ("f4", "f8"):
                given = [lay(np.ones(n, dtype), end, "nchw") for n in (1, 3, 7, 8, 15, 16, 17, 31, 33, 63, 65, 16385)]
                for power in (2.0, 1.0, np.inf):
                    total_norm(given, power, 0.1)
                clip_values(given, 0.1)
print("done")
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and done.stdout == "done\n", done.stderr
