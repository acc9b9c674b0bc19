"""tests.kernels.test_select: which implementation runs."""

from __future__ import annotations

import numpy as np
import pytest

from fastcnn import kernels, policy
from fastcnn.errors import ArgumentError, PerformanceWarning
from fastcnn.kernels import select
from fastcnn.shapes import conv2d_case

from .. import harness
from ..cases import CASES
from ..problems import PROBLEMS


@pytest.fixture(autouse=True)
def unknown(monkeypatch):
    """Nothing has been chosen or warned of before."""
    monkeypatch.setattr(select, "_known", {})
    monkeypatch.setattr(policy, "_warned", set())


def test_a_geometry_is_looked_up_by_its_object(monkeypatch):
    """Another case at the address of a dead one, or of another dtype, is another choice."""
    names = set()
    for i in range(200):
        groups = 3 if i % 3 else 1
        case = conv2d_case((1, 3, 6, 6), (3, 3 // groups, 3, 3), groups=groups)
        args = [np.zeros(shape, ("f4", "f8")[i % 2]) for shape in (case.x_shape, case.w_shape)]
        chosen = select.choose("conv2d_forward", (*args, None, case))
        assert chosen is next(
            impl for impl in select.OPS["conv2d_forward"] if impl.accepts(*args, None, case) and impl.pays(*args, None, case)
        )
        names.add(chosen.name)
    assert len(names) > 1
    monkeypatch.setattr(select, "MOST_KNOWN", 3)
    for i in range(9):
        select.choose("conv2d_forward", (args[0], args[1], None, case._replace(batch=i)))
    assert len(select._known) <= 3


def test_every_op_is_tested():
    assert set(select.OPS) == set(PROBLEMS) == set(CASES)


@pytest.mark.parametrize("op", select.OPS)
def test_the_reference_is_last_and_names_differ(op):
    names = [impl.name for impl in select.OPS[op]]
    assert names[-1] == "reference" and len(set(names)) == len(names)
    assert not select.OPS[op][-1].compiled


@pytest.mark.parametrize("op", select.OPS)
def test_auto_takes_the_first_that_accepts(op):
    args = harness.arguments(op, next(iter(CASES[op].values())))
    first = next(impl for impl in select.OPS[op] if impl.accepts(*args) and impl.pays(*args))
    assert select.choose(op, args) is first
    assert select.choose(op, args, "reference").name == "reference"


@pytest.mark.parametrize("op", select.OPS)
def test_unknown_algorithm_is_refused(op):
    args = harness.arguments(op, next(iter(CASES[op].values())))
    with pytest.raises(ArgumentError, match=f"{op}: algorithm must be 'auto' or one of .*reference.*, got 'fft'"):
        getattr(kernels, op)(*args, algorithm="fft")


@pytest.mark.parametrize("op", select.OPS)
def test_the_public_function_runs_the_chosen_one(op):
    args = harness.arguments(op, next(iter(CASES[op].values())))
    got = harness.as_tuple(getattr(kernels, op)(*args, algorithm="reference"))
    want = harness.as_tuple(harness.reference(op).function(*args))
    assert harness.digest(got) == harness.digest(want)
    assert harness.digest(getattr(kernels, op)(*args)) == harness.digest(select.choose(op, args).run(*args))


def test_integers_go_to_the_reference():
    a = np.arange(6).reshape(2, 3)
    with pytest.warns(PerformanceWarning, match="gemm"):
        assert select.choose("gemm", (a, a.T)).name == "reference"
    np.testing.assert_array_equal(kernels.gemm(a, a.T), [[5, 14], [14, 50]])


def test_mixed_floats_go_to_the_reference():
    a = np.ones((2, 3), np.float32)
    with pytest.warns(PerformanceWarning, match="gemm"):
        assert select.choose("gemm", (a, a.T.astype(np.float64))).name == "reference"
