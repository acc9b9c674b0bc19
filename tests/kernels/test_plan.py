"""tests.kernels.test_plan: the plan of a convolution: candidates, choice, speed, error, and its table."""

from __future__ import annotations

import numpy as np
import pytest

import fastcnn as fc
from fastcnn import nn
from fastcnn.errors import ArgumentError, ShapeError
from fastcnn.kernels import plan, select

SHAPES = {  # x, w, options
    "plain": ((3, 16, 12, 12), (24, 16, 3, 3), {"padding": 1}),
    "strided": ((2, 5, 11, 9), (7, 5, 3, 2), {"stride": 2, "padding": (0, 1, 2, 0)}),
    "grouped": ((2, 12, 7, 7), (18, 4, 3, 3), {"groups": 3, "dilation": 2}),
    "depthwise": ((2, 9, 8, 8), (9, 1, 3, 3), {"groups": 9, "padding": 1}),
    "one channel": ((2, 1, 9, 9), (1, 1, 5, 5), {}),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", SHAPES)
def test_candidates(name, dtype):
    x_shape, w_shape, options = SHAPES[name]
    found = fc.plan_conv2d(x_shape, w_shape, dtype=dtype, **options)
    assert list(found) == list(plan.DIRECTIONS) and len(found) == 3
    bound = 2e-5 if dtype == "float32" else 1e-13
    for row in found.candidates:
        assert row.gflops > 0 and 0 <= row.error < bound, row
    for direction in plan.DIRECTIONS:
        rows = [row for row in found.candidates if row.direction == direction]
        assert [row.algorithm for row in rows if row.chosen] == [found[direction]]
        assert "direct" in {row.algorithm for row in rows}


@pytest.mark.parametrize("direction", plan.DIRECTIONS)
def test_a_wrong_kernel_has_a_large_error(direction, monkeypatch):
    op = f"conv2d_{direction}"

    right = select.OPS[op][-1].function

    def wrong(*args, threads):
        return right(*args) * args[0].dtype.type(1.01)

    monkeypatch.setattr(select, "OPS", select.OPS | {op: (select.Impl("planted", wrong, compiled=True), *select.OPS[op])})
    monkeypatch.setattr(select, "_known", {})
    found = fc.plan_conv2d((2, 4, 6, 6), (5, 4, 3, 3))
    errors = [row.error for row in found.candidates if row.algorithm == "planted"]
    assert errors == pytest.approx([0.01], rel=1e-3)


def test_only_the_choice():
    found = fc.plan_conv2d((16, 64, 28, 28), (64, 64, 3, 3), padding=1, measure=False)
    assert dict(found) == dict.fromkeys(plan.DIRECTIONS, "winograd")
    assert all(row.gflops is None and row.error is None for row in found.candidates)
    huge = fc.plan_conv2d((1000, 512, 224, 224), (512, 512, 3, 3), padding=1, measure=False)  # needs no memory
    assert huge["forward"] == "winograd"


def test_empty_batch_has_a_choice():
    assert fc.plan_conv2d((0, 4, 6, 6), (5, 4, 3, 3))["forward"] == "direct"


def test_the_table():
    text = str(fc.plan_conv2d((2, 8, 12, 12), (8, 8, 3, 3)))
    lines = text.splitlines()
    assert lines[0].startswith("conv2d x (2, 8, 12, 12) w (8, 8, 3, 3) float32") and "GFLOP/s" in lines[1]
    assert sum(line.startswith("* ") for line in lines) == 4 and len({len(line) for line in lines[1:-1]}) == 1


def test_layer():
    layer = nn.Conv2d(4, 6, 3, stride=2, padding=1, algorithm="direct")
    x = np.zeros((2, 4, 9, 9), np.float32)
    assert dict(layer.plan(x, measure=False)) == dict(layer.plan((2, 4, 9, 9), measure=False)) == dict(layer.plan([2, 4, 9, 9]))
    assert "Plan(" in repr(layer.plan(x, measure=False)) and layer.plan(fc.tensor(x))["forward"] == "direct"
    assert nn.Conv2d(4, 6, 3, algorithm="reference").plan(x.shape)["backward_weight"] == "reference"


def test_errors():
    with pytest.raises(ShapeError, match=r"plan_conv2d: weight expects 3 input channels, x has 4"):
        fc.plan_conv2d((1, 4, 5, 5), (2, 3, 3, 3))
    with pytest.raises(ArgumentError, match="plan_conv2d: dtype must be float32 or float64"):
        fc.plan_conv2d((1, 4, 5, 5), (2, 4, 3, 3), dtype="int32")
    with pytest.raises(ArgumentError, match=r"Conv2d: algorithm must be one of auto, .*, got 'fft'"):
        nn.Conv2d(4, 6, 3, algorithm="fft")
