"""tests.kernels.test_entry: the floating-point state of kernels; recordings of their calls and the replay."""

from __future__ import annotations

import gc
import threading

import numpy as np
import pytest

from fastcnn import kernels
from fastcnn.errors import StateError
from fastcnn.kernels import columns, elementwise, entry, memory, pixels, relu, strided
from fastcnn.shapes import pool2d_case

from .. import harness
from ..cases import CASES
from ..problems import PROBLEMS

RUN = 16384  # values of one task of an elementwise kernel
THROUGH_ENTRY = list(PROBLEMS)


@pytest.mark.parametrize("op", THROUGH_ENTRY)
def test_the_state_of_the_caller_stays(op):
    args = harness.arguments(op, next(iter(CASES[op].values())))
    np.float32(1) / np.float32(3)  # leaves a sticky flag
    for impl in harness.implementations(op):
        if impl.compiled and impl.accepts(*args):
            before = entry.float_state()
            impl.function(*args, threads=2)
            assert entry.float_state() == before


def repeats_itself(impl, args):
    """Record the implementation, change its inputs, replay: the same bits as a call with another count of threads."""
    args = [a.copy(order="K") if isinstance(a, np.ndarray) else a for a in args]
    recording, got = recorded(lambda: harness.as_tuple(impl.function(*args, threads=2)))
    before = [y.copy() for y in got]
    for a in args:
        if isinstance(a, np.ndarray) and a.dtype.kind == "f":
            a[...] = np.random.default_rng(1).uniform(0.5, 1.5, a.shape)
    recording.replay()
    for y, old, fresh in zip(got, before, harness.as_tuple(impl.function(*args, threads=1)), strict=True):
        assert recording.refused is None and np.array_equal(y, fresh) and not (y.size and np.array_equal(y, old))


@pytest.mark.parametrize("op", [op for op in THROUGH_ENTRY if not op.startswith("conv2d_") or op.endswith("bias")])
def test_every_kernel_repeats_itself_on_new_inputs(op):
    args = harness.arguments(op, next(iter(CASES[op].values())))
    for impl in (impl for impl in harness.implementations(op) if impl.accepts(*args)):
        repeats_itself(impl, args)


@pytest.mark.parametrize("op", ["conv2d_forward", "conv2d_backward_data", "conv2d_backward_weight"])
@pytest.mark.parametrize("name", ["depthwise", "batch", "narrow"])
def test_each_convolution_repeats_itself_on_new_inputs(op, name):
    impl = next(impl for impl in harness.implementations(op) if impl.name == name)
    for case in (c for c in CASES[op].values() if impl.accepts(*harness.arguments(op, c)) and c.batch):
        repeats_itself(impl, harness.arguments(op, case))


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_denormals_are_zero_in_every_thread(threads):
    x = np.full(RUN * 8, 1e-39, np.float32)
    assert (x * np.float32(1) > 0).all()
    assert not elementwise.mul(x, np.float32(1), threads=threads).any()  # an input
    assert not elementwise.mul(x + np.float32(1e-30), np.float32(1e-10), threads=threads).any()  # a result


def recorded(function):
    recording = entry.Recording()
    recording.start()
    try:
        result = function()
    finally:
        recording.stop()
    return recording, result


def test_a_replay_follows_its_inputs():
    x = np.random.default_rng(0).standard_normal((4, 5, 6, 7), np.float32)
    function = lambda: columns.total(relu.relu_forward(elementwise.add(strided.copy(x), np.float32(1))))  # noqa: E731
    recording, result = recorded(function)
    assert len(recording) == 5 and recording.refused is None and recording.owns(result) and recording.size > 0
    for seed in range(3):
        x[...] = np.random.default_rng(seed).standard_normal(x.shape)
        recording.replay()
        assert result == function()


def test_memory_of_a_recording_is_its_own():
    x = np.ones(50_000, np.float32)
    recording, y = recorded(lambda: elementwise.add(elementwise.add(elementwise.add(x, x), x), x))
    assert recording.size < 3.5 * x.nbytes  # the first sum's memory holds the third
    others = [elementwise.add(x, np.float32(k)) for k in range(20)]
    before = [z.copy() for z in others]
    recording.replay()
    assert (y == 4).all() and all(np.array_equal(a, b) for a, b in zip(others, before, strict=True))


def test_tables_are_written_anew():
    """What Python tells a kernel lies in memory that earlier calls of the step had."""
    case = pool2d_case((1, 2, 6, 6), 3, 2, 1, 1, False, op="max_pool2d")
    x = np.random.default_rng(0).standard_normal((1, 6, 6, 2), np.float32).transpose(0, 3, 1, 2)

    def step():
        for size in range(16, 512, 16):
            elementwise.full((size,), 7.0, np.float32)
        return kernels.max_pool2d_forward(x, case)[0]

    recording, y = recorded(step)
    assert len(recording) == 32
    for sign in (-1, 1):
        x *= sign
        recording.replay()
        assert np.array_equal(y, step())


def test_numpy_arrays_tell_when_they_were_made():
    before = np.ones(3, np.float32)
    recording, (inside, y) = recorded(lambda: (before * 2, elementwise.add(before, before)))
    assert recording.foreign(inside) and recording.foreign(inside[1:])
    assert not any(recording.foreign(a) for a in (before, y, before * 2))
    other, inside = recorded(lambda: before * 2)
    assert other.foreign(inside) and not recording.foreign(inside)


def test_functions_run_at_their_place():
    x, seen = np.zeros(3, np.float32), []

    def step():
        elementwise.add_to(x, np.ones(3, np.float32))
        entry.call(lambda: seen.append(float(x[0])))
        elementwise.add_to(x, np.ones(3, np.float32))

    recording, _ = recorded(step)
    recording.replay()
    recording.replay(effects=False)
    assert seen == [3.0] and x[0] == 6


def test_other_threads_are_not_recorded():
    recording = entry.Recording()
    recording.start()
    worker = threading.Thread(target=lambda: elementwise.add(np.ones(3, np.float32), np.float32(1)))
    worker.start()
    worker.join()
    with pytest.raises(StateError, match="recording another step"):
        entry.Recording().start()
    recording.stop()
    assert len(recording) == 0 and entry.current() is None


def test_a_replay_gathers_again():
    x, index = np.random.default_rng(0).integers(0, 256, (9, 4, 5, 3), dtype=np.uint8), np.arange(6)
    windows, scale = np.array([[[1, 1, 4, -1]] * 6]), pixels.Scale(0.5, 1, 3, "u1")
    function = lambda: pixels.gather_pixels(x.transpose(0, 3, 1, 2), index, windows, [(4, 5)], 9, scale)  # noqa: E731
    before = entry.float_state()
    recording, y = recorded(function)
    assert len(recording) == 1 and recording.refused is None and entry.float_state() == before
    index[...], windows[0, :, 0], x[0] = index[::-1].copy(), -1, 7
    recording.replay()
    np.testing.assert_array_equal(y, function())


def test_what_numpy_computes_is_refused():
    recording, _ = recorded(lambda: elementwise.add(np.arange(3), 1))
    assert recording.refused == "add of such operands"


def test_a_label_that_is_no_class_stops_a_replay():
    target = np.array([0, 1, 2])
    logits = np.zeros((3, 3), np.float32)
    recording, (loss, _) = recorded(lambda: kernels.cross_entropy_forward(logits, target, reduction="mean"))
    target[1] = 7
    with pytest.raises(ValueError, match="cross_entropy: target must be between 0 and 2, got 7"):
        recording.replay()
    target[1] = -100
    recording.replay()
    assert loss == np.float32(np.log(3))


def test_memory_comes_back():
    def once():
        recording, y = recorded(lambda: elementwise.add(np.ones(100_000, np.float32), np.float32(1)))
        recording.replay()
        return y

    y = once()
    y = once()  # while the first result lives
    del y
    gc.collect()
    before = memory.memory_stats()
    for _ in range(200):
        y = once()
    assert (y == 2).all()
    del y
    gc.collect()
    assert memory.memory_stats() == before


def test_statistics_and_the_empty_cache():
    x = np.ones(3_000_000, np.float32)
    memory.empty_cache()
    empty = memory.memory_stats()
    assert empty["cached"] == 0
    y = elementwise.add(x, x)
    held = memory.memory_stats()
    assert x.nbytes <= held["in_use"] - empty["in_use"] <= 1.25 * x.nbytes and held["huge"] - empty["huge"] >= x.nbytes
    del y
    freed = memory.memory_stats()
    assert freed["in_use"] == empty["in_use"] and freed["cached"] >= x.nbytes
    memory.empty_cache()
    assert memory.memory_stats() == empty
