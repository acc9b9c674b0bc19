"""tests.ops.test_batch_norm: normalisation per channel, its gradients and its running statistics."""

from __future__ import annotations

import numpy as np
import pytest

from fastcnn import Tensor
from fastcnn.errors import ArgumentError, DtypeError, ShapeError
from fastcnn.ops import batch_norm

from ..cases import LAYOUTS, lay
from .draws import gradcheck, positive, real

SHAPES = [(4, 3), (2, 3, 4, 5), (1, 17, 3, 2), (8, 1), (2, 33, 1, 1), (3, 5, 2, 7)]


def parameters(shape):
    return positive(shape[1], seed=1), real(shape[1], seed=2)


def batch_statistics(x):
    over = (0, 2, 3)[: x.ndim - 1]
    return x.mean(axis=over), x.var(axis=over)


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("shape", SHAPES)
def test_gradient_in_training(shape, affine):
    def f(x, *wb):
        return batch_norm(x, None, None, *wb, training=True)

    assert gradcheck(f, (real(*shape), *parameters(shape)[: 2 * affine]))


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("shape", [*SHAPES, (0, 3, 2, 2)])
def test_gradient_in_evaluation(shape, affine):
    mean, var = real(shape[1], seed=3), positive(shape[1], seed=4)
    assert gradcheck(lambda x, *wb: batch_norm(x, mean, var, *wb), (real(*shape), *parameters(shape)[: 2 * affine]))


@pytest.mark.parametrize("ceiling", [None, np.inf, 0.6])
@pytest.mark.parametrize("added", [True, False])
@pytest.mark.parametrize("training", [True, False])
def test_residual_and_relu(training, added, ceiling):
    """The fused form is the sum and the clipping after the plain one, in value and gradient."""
    x, r, mean, var = real(2, 3, 4, 5), real(2, 3, 4, 5, seed=5), real(3, seed=3), positive(3, seed=4)
    running = (None, None) if training else (mean, var)

    def f(x, w, b, *residual):
        return batch_norm(x, *running, w, b, training, ceiling=ceiling, residual=residual[0] if residual else None)

    inputs = (x, *parameters(x.shape), *([r] if added else []))
    assert gradcheck(f, inputs)
    plain = batch_norm(x, *running, *parameters(x.shape), training).data + (r if added else 0)
    np.testing.assert_allclose(f(*inputs).data, plain if ceiling is None else plain.clip(0, ceiling), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("options", [{}, {"ceiling": 1.0}, {"ceiling": 1.0, "pool": (2, 2, 0, 1, False)}], ids=str)
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("added", [True, False])
def test_a_result_with_two_users(training, added, options):
    running = (None, None) if training else (real(3, seed=3), positive(3, seed=4))

    def f(x, *residual):
        y = batch_norm(x, *running, *parameters(x.shape), training, residual=residual[0] if added else None, **options)
        return y * 2 + y * y

    assert gradcheck(f, (real(2, 3, 4, 4, seed=8), real(2, 3, 4, 4, seed=9))[: 1 + added])


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_memory_layout(layout, training):
    w, b = parameters((2, 3))
    mean, var = Tensor(real(3, seed=3)), Tensor(positive(3, seed=4))
    x = lay(real(2, 3, 4, 5), layout)
    assert gradcheck(lambda x: batch_norm(x, mean, var, w, b, training=training), x)


@pytest.mark.parametrize("shape", SHAPES)
def test_value_and_running_statistics(shape):
    x, (w, b) = real(*shape), parameters(shape)
    mean, var = Tensor(np.full(shape[1], 0.5)), Tensor(np.full(shape[1], 2.0))
    y = batch_norm(x, mean, var, w, b, training=True, momentum=0.25, eps=1e-3)
    m, v = batch_statistics(x)
    along = (-1, 1, 1)[: x.ndim - 1]
    expected = (x - m.reshape(along)) / np.sqrt(v.reshape(along) + 1e-3) * w.reshape(along) + b.reshape(along)
    np.testing.assert_allclose(y.data, expected, rtol=1e-9, atol=1e-9)
    count = x.size // shape[1]
    np.testing.assert_allclose(mean.data, 0.75 * 0.5 + 0.25 * m, rtol=1e-9)
    np.testing.assert_allclose(var.data, 0.75 * 2.0 + 0.25 * v * count / (count - 1), rtol=1e-9)
    assert mean.version == var.version == 1


def test_an_empty_batch_leaves_the_statistics():
    mean, var = Tensor(np.zeros(3)), Tensor(np.ones(3))
    y = batch_norm(np.ones((0, 3, 2, 2)), mean, var, training=True)
    assert y.shape == (0, 3, 2, 2) and (mean.data == 0).all() and (var.data == 1).all()


X, C = np.ones((2, 3, 4, 4)), np.ones(3)
BAD = [
    (X[0], C, C, {}, ShapeError, r"x must have 2 or 4 axes .*got x.shape=\(3, 4, 4\)"),
    (X, np.ones(4), C, {}, ShapeError, r"running_mean must have shape \(3,\), got \(4,\) \(x.shape=\(2, 3, 4, 4\)\)"),
    (X, C, C, {"weight": np.ones((3, 1))}, ShapeError, r"weight must have shape \(3,\), got \(3, 1\)"),
    (X, C, C, {"bias": np.ones(2)}, ShapeError, r"bias must have shape \(3,\), got \(2,\)"),
    (X, None, C, {}, ArgumentError, "without training, running_mean and running_var are needed"),
    (X[:1, :, :1, :1], None, None, {"training": True}, ShapeError, r"training needs more than one value per channel \(x.shape"),
    (X, C, C, {"eps": -1.0}, ArgumentError, "eps must be between 0 and inf, got -1.0"),
    (X, C, C, {"eps": float("nan")}, ArgumentError, "eps must be between 0 and inf, got nan"),
    (X, C.astype("f"), C, {}, DtypeError, "x and running_mean must have the same dtype, got float64 and float32"),
    (X.astype("f"), None, None, {"weight": C, "training": True}, DtypeError, "x and weight must have the same dtype"),
    (X, C, C, {"ceiling": 0.0}, ArgumentError, "ceiling must be above 0, got 0.0"),
    (X, C, C, {"residual": X[:1]}, ShapeError, r"residual must have x.shape=\(2, 3, 4, 4\), got \(1, 3, 4, 4\)"),
    (X.astype(int), C, C, {}, DtypeError, "x must be float32 or float64, got int64"),
]


@pytest.mark.parametrize(("x", "mean", "var", "options", "error", "text"), BAD)
def test_bad_input(x, mean, var, options, error, text):
    with pytest.raises(error, match="^batch_norm: " + text):
        batch_norm(x, mean, var, **options)
