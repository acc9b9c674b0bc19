"""tests.kernels.test_refusals: arguments that do not fit together end in an error of ours, never beside an array."""

from __future__ import annotations

import numpy as np
import pytest

from fastcnn import kernels
from fastcnn.errors import ArgumentError, DtypeError, FastcnnError, ShapeError

from .. import harness
from ..cases import CASES
from ..problems import PROBLEMS

COMPILED = [(op, impl) for op in PROBLEMS for impl in harness.implementations(op) if impl.compiled]
FREE = ("activation_forward", "relu_forward", "conv2d_backward_bias", *harness.LAYOUT_OPS)  # one array of any size
ROW = {"gemm": "tail", "relu_backward": "images"}


def arguments(op, impl, dtype="float32"):
    """Arguments that `impl` accepts."""
    for row in (ROW[op],) if op in ROW else CASES[op]:
        args = harness.arguments(op, CASES[op][row], dtype)
        if impl.accepts(*args):
            return args
    raise AssertionError(f"{op}: no case for {impl.name}")


def variants(args, change):
    """Yield the arguments with `change(array)` in the place of one array, for each of them."""
    for i, a in enumerate(args):
        if isinstance(a, np.ndarray):
            yield (*args[:i], change(a), *args[i + 1 :])


def cut(axis):
    def change(a):
        return a[(slice(None),) * (axis % a.ndim) + (slice(0, -1),)]

    return change


@pytest.mark.parametrize("axis", range(4))
@pytest.mark.parametrize(("op", "impl"), [row for row in COMPILED if row[0] not in FREE], ids=harness.row_id)
def test_array_of_another_size(op, impl, axis):
    """Either an error, or the smaller problem is one that the reference also solves, with the same result."""
    for args in variants(arguments(op, impl), cut(axis)):
        try:
            got = harness.as_tuple(impl.run(*args))
        except FastcnnError as error:
            assert isinstance(error, ShapeError | ArgumentError) and " must " in str(error)
            continue
        want = harness.as_tuple(harness.reference(op).function(*args))
        for g, w in zip(got, want, strict=True):
            np.testing.assert_allclose(g, w, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("op", "impl"), [row for row in COMPILED if row[0] not in ("activation_forward", "relu_forward")], ids=harness.row_id
)
def test_array_of_another_rank(op, impl):
    for change in (lambda a: a[..., None], lambda a: a[0]):
        for args in variants(arguments(op, impl), change):
            with pytest.raises((FastcnnError, ValueError)):
                impl.run(*args)


@pytest.mark.parametrize("dtype", ["float64", "float16", "int32", "bool", "object"])
@pytest.mark.parametrize(("op", "impl"), COMPILED, ids=harness.row_id)
def test_array_of_another_dtype(op, impl, dtype):
    """`accepts` refuses what the kernel cannot read; called all the same, the kernel raises or converts, but never misreads."""
    first = arguments(op, impl)
    for i, a in enumerate(first):
        if not isinstance(a, np.ndarray):
            continue
        other = a.astype(dtype)
        args = (*first[:i], other, *first[i + 1 :])
        if impl.accepts(*args):
            continue
        try:
            got = harness.as_tuple(impl.run(*args))
        except DtypeError:
            continue
        want = harness.as_tuple(impl.run(*first[:i], other.astype(a.dtype), *first[i + 1 :]))
        for g, w in zip(got, want, strict=True):
            np.testing.assert_allclose(g, w, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("count", [0, -5, 10**6])
@pytest.mark.parametrize(("op", "impl"), COMPILED, ids=harness.row_id)
def test_any_thread_count(op, impl, count):
    args = arguments(op, impl)
    assert harness.digest(impl.function(*args, threads=count)) == harness.digest(impl.function(*args, threads=1))


@pytest.mark.parametrize("label", [-1, 10, 2**40, -(2**40)])
def test_label_out_of_range(label):
    logits, target, smoothing = harness.arguments("cross_entropy_forward", CASES["cross_entropy_forward"]["ten"])
    wrong = target.copy()
    wrong[3] = label
    for impl in harness.implementations("cross_entropy_forward"):
        with pytest.raises(ArgumentError, match="target"):
            impl.run(logits, wrong, smoothing)
    for impl in harness.implementations("cross_entropy_backward"):
        with pytest.raises(ArgumentError, match="target"):
            impl.run(logits[:, 0], logits, wrong, smoothing)


def test_no_classes():
    with pytest.raises(FastcnnError, match="cross_entropy"):
        kernels.cross_entropy_forward(np.ones((2, 0), np.float32), np.zeros(2, np.int64))
