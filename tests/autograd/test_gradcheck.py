"""tests.autograd.test_gradcheck: right gradients pass, planted wrong ones are found."""

from __future__ import annotations

import numpy as np
import pytest

from fastcnn import Tensor, gradcheck
from fastcnn.autograd import record
from fastcnn.errors import ArgumentError, DtypeError, GradientError

both_modes = pytest.mark.parametrize("mode", ["projection", "full"])
X = np.random.default_rng(0).standard_normal((3, 4))


def square(wrong):
    """x^2 with its gradient put through `wrong`."""

    def function(x):
        return record("square", (x,), x.data**2, lambda dy, saved, case, needs: (wrong(2 * dy * saved),), x.data)

    return function


def off_by_one_element(g):
    g[1, 2] += 0.1
    return g


@both_modes
def test_right_gradient_passes(mode):
    assert gradcheck(square(lambda g: g), X, mode=mode)


@both_modes
@pytest.mark.parametrize(
    "wrong",
    [
        lambda g: -g,
        lambda g: g * 1.01,
        lambda g: g * 0,
        lambda g: g[::-1],
        off_by_one_element,
        lambda g: None,
        lambda g: g * np.nan,
    ],
)
def test_wrong_gradient_is_found(mode, wrong):
    with pytest.raises(GradientError, match=r"^gradcheck: input 0.*numeric .*, analytic "):
        gradcheck(square(wrong), X, mode=mode)


def test_full_mode_names_the_element():
    with pytest.raises(GradientError, match=r"^gradcheck: input 0 at \(1, 2\): "):
        gradcheck(square(off_by_one_element), X, mode="full")


@pytest.mark.parametrize("wrong", [lambda g: g.astype(np.float32), lambda g: g[:, :2]])
def test_wrong_dtype_and_shape_are_found(wrong):
    with pytest.raises(GradientError, match=r"^gradcheck: gradient of input 0 has shape .* the input has \(3, 4\), float64"):
        gradcheck(square(wrong), X)


def test_only_marked_inputs_are_checked():
    def function(x, y):
        return record("f", (x, y), x.data * y.data, lambda dy, s, case, needs: (dy * s, dy * 99), y.data)

    assert gradcheck(function, (Tensor(X, requires_grad=True), Tensor(X)))
    with pytest.raises(GradientError, match="input 1"):
        gradcheck(function, (X, X))


def test_inputs_stay_as_they_are():
    x = Tensor(X.copy(), requires_grad=True)
    gradcheck(square(lambda g: g), x)
    assert np.array_equal(x.data, X) and x.grad is None


def test_bad_arguments():
    with pytest.raises(ArgumentError, match=r"^gradcheck: mode must be 'projection' or 'full', got 'half'"):
        gradcheck(square(lambda g: g), X, mode="half")
    with pytest.raises(DtypeError, match=r"^gradcheck: floating-point inputs must be float64, got float32"):
        gradcheck(square(lambda g: g), X.astype(np.float32))
    with pytest.raises(ArgumentError, match=r"^gradcheck: no input is a float64 tensor"):
        gradcheck(square(lambda g: g), np.arange(3))
