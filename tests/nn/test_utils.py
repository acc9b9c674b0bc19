"""tests.nn.test_utils: limits to gradients through their public names."""

from __future__ import annotations

import numpy as np
import pytest

from fastcnn import Tensor, nn
from fastcnn.errors import ArgumentError, DtypeError, StateError
from fastcnn.kernels import entry


def parameters(*gradients):
    made = []
    for values in gradients:
        p = Tensor(np.zeros(np.shape(values)), requires_grad=True)
        p.grad = Tensor(np.array(values))
        made.append(p)
    return made


def test_norm_over_all():
    given = [*parameters([3.0], [[4.0, 0.0]]), Tensor(np.ones(2), requires_grad=True)]
    version = given[0].grad.version
    assert nn.utils.clip_grad_norm_(given, 10.0).item() == 5 and given[0].grad.data[0] == 3
    norm = nn.utils.clip_grad_norm_(iter(given), 1.0)
    assert norm.item() == 5 and norm.shape == () and given[0].grad.version > version
    assert given[1].grad.data[0, 0] == 4 / (5 + 1e-6) and given[2].grad is None
    assert nn.utils.clip_grad_norm_(parameters([3.0, -7.0])[0], 2.0, norm_type=float("inf")).item() == 7


def test_values():
    given = parameters([3.0, -7.0, 0.5])
    nn.utils.clip_grad_value_(given, 1)
    assert given[0].grad.data.tolist() == [1, -1, 0.5]


def test_a_gradient_that_is_a_view():
    x = Tensor(np.ones((3, 2)), requires_grad=True)
    x.sum().backward()
    nn.utils.clip_grad_value_(x, 0.5)
    assert (x.grad.data == 0.5).all()
    x.grad.data.flags.writeable = False
    nn.utils.clip_grad_norm_(x, 0.1)
    assert nn.utils.get_total_norm(x.grad).item() == pytest.approx(0.1, rel=1e-5)


def test_non_finite_norm():
    for value in (np.nan, np.inf):
        given = parameters([1.0, value])
        with pytest.raises(StateError, match=f"get_total_norm: the norm of order 2.0 of 1 tensors is {value}"):
            nn.utils.clip_grad_norm_(given, 1.0, error_if_nonfinite=True)
        assert given[0].grad.data[0] == 1
        nn.utils.clip_grad_norm_(given, 1.0)
        assert given[0].grad.data[0] != 1


def test_refusals():
    for value in (-1, "a", None, float("nan")):
        with pytest.raises(ArgumentError, match="clip_grad_norm_: max_norm must be a number of at least 0, got"):
            nn.utils.clip_grad_norm_([], value)
        with pytest.raises(ArgumentError, match="clip_grad_value_: clip_value must be a number of at least 0, got"):
            nn.utils.clip_grad_value_([], value)
        with pytest.raises(ArgumentError, match="clip_grad_norm_: norm_type must be a number above 0, got"):
            nn.utils.clip_grad_norm_([], 1.0, norm_type=value)
    with pytest.raises(DtypeError, match="clip_grad_norm_: tensors are needed, got ndarray"):
        nn.utils.clip_grad_norm_([np.ones(2)], 1.0)


def test_recordings():
    def refused(function):
        recording = entry.Recording()
        recording.start()
        try:
            function()
        finally:
            recording.stop()
        return recording.refused

    given = parameters([3.0, -7.0])
    assert refused(lambda: (nn.utils.clip_grad_norm_(given, 1.0), nn.utils.clip_grad_value_(given, 1.0))) is None
    assert refused(lambda: nn.utils.clip_grad_norm_(given, 1.0, error_if_nonfinite=True)) is None
    given[0].grad.data.flags.writeable = False
    assert refused(lambda: nn.utils.clip_grad_norm_(given, 1.0)) == "a limit to a gradient that is read-only"
