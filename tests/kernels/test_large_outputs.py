"""tests.kernels.test_large_outputs: outputs above the size from which kernels write past the caches or prefetch."""

from __future__ import annotations

import numpy as np
import pytest

from fastcnn import kernels
from fastcnn.reference import batch_norm, max_pool2d, relu
from fastcnn.shapes import conv2d_case, pool2d_case

from ..harness import ISAS, machine

SHAPE = (3, 112, 161, 169)  # 37 MB in float32; 112 is a multiple of every vector's lanes
ODD = (3, 259, 107, 110)  # 37 MB; rows end inside of a vector


def image(shape, seed=0):
    rng = np.random.default_rng(seed)
    nhwc = rng.integers(-8, 9, (shape[0], shape[2], shape[3], shape[1]), dtype=np.int8).astype(np.float32)
    return nhwc.transpose(0, 3, 1, 2)


@pytest.fixture(params=[SHAPE, ODD], ids=["whole_vectors", "tails"], scope="module")
def arrays(request):
    return image(request.param), image(request.param, 1)


@pytest.mark.parametrize("isa", ISAS)
def test_relu(arrays, isa):
    x, dy = arrays
    with machine(isa, 2):
        y = kernels.relu_forward(x)
        dx = kernels.relu_backward(dy, y)
    np.testing.assert_array_equal(y, relu.relu_forward(x))
    np.testing.assert_array_equal(dx, relu.relu_backward(dy, y))


@pytest.mark.parametrize("isa", ISAS)
def test_batch_norm_equals_its_parts(arrays, isa):
    """An elementwise pass over a large batch gives the bits of the passes over single images, which stay in cache."""
    x, dy = arrays
    channels = x.shape[1]
    mean, var = np.linspace(-1, 1, channels, dtype=np.float32), np.linspace(0.5, 2, channels, dtype=np.float32)
    with machine(isa, 2):
        y = kernels.batch_norm_inference(x, var, mean, mean, var, 1e-5, relu=True, residual=dy)
        for n in range(len(x)):
            part = kernels.batch_norm_inference(x[n : n + 1], var, mean, mean, var, 1e-5, relu=True, residual=dy[n : n + 1])
            np.testing.assert_array_equal(y[n : n + 1], part)


@pytest.mark.parametrize("isa", ISAS)
def test_batch_norm_backward(arrays, isa):
    x, dy = arrays
    channels = x.shape[1]
    weight, bias = np.linspace(0.5, 2, channels, dtype=np.float32), np.zeros(channels, np.float32)
    with machine(isa, 2):
        _, mean, var = kernels.batch_norm_forward(x, weight, bias, 1e-5)
        dx, dweight, dbias = kernels.batch_norm_backward(dy, x, weight, mean, var, 1e-5)
    want = batch_norm.batch_norm_backward(dy, x, weight, mean, var, 1e-5)
    np.testing.assert_allclose(dx, want[0], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(dweight, want[1], rtol=1e-4, atol=1e-2)
    np.testing.assert_allclose(dbias, want[2], rtol=1e-4, atol=1e-2)


@pytest.mark.parametrize("isa", ISAS)
def test_max_pool(arrays, isa):
    x, _ = arrays
    case = pool2d_case(x.shape, 3, 2, 1)
    with machine(isa, 2):
        y, index = kernels.max_pool2d_forward(x, case)
        dx = kernels.max_pool2d_backward(y, index, case)
    want, want_index = max_pool2d.max_pool2d_forward(x, case)
    np.testing.assert_array_equal(y, want)
    np.testing.assert_array_equal(index, want_index)
    np.testing.assert_array_equal(dx, max_pool2d.max_pool2d_backward(y, index, case))


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("co", [96, 90])
@pytest.mark.parametrize("kernel", [1, 3])
def test_direct_convolution(isa, co, kernel):
    """An output above the size, made of whole vectors or not, equals the outputs for single images, which are below it."""
    x = image((4, 5, 160, 162))  # y: 38 MB
    w = image((co, 5, kernel, kernel), 1)
    case, one = (conv2d_case((n, 5, 160, 162), w.shape, 1, kernel // 2) for n in (4, 1))
    with machine(isa, 2):
        y = kernels.conv2d_forward(x, w, None, case, algorithm="direct", bounds=(0, np.inf))
        for n in range(4):
            part = kernels.conv2d_forward(x[n : n + 1], w, None, one, algorithm="direct", bounds=(0, np.inf))
            np.testing.assert_array_equal(y[n : n + 1], part)
