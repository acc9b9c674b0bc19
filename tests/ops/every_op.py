"""tests.ops.every_op: one call of each differentiable op, for what must hold of all of them."""

from __future__ import annotations

import numpy as np

from fastcnn import ops

from .draws import channels_last, positive, real


def _positive(*shape):
    return channels_last(positive(*shape))


IMAGES = _positive(2, 3, 4, 4)
OTHER = _positive(2, 3, 4, 4) + 0.25
MASK = IMAGES > 1.1
WEIGHT = real(5, 3, 3, 3, seed=1)
MATRIX = positive(4, 5)
VECTOR = positive(3)
LABELS = np.array([0, 4, 1, 1])

# Name: (function of Tensors, float64 inputs).
CALLS = {
    "abs": (ops.abs, (IMAGES,)),
    "adaptive_avg_pool2d": (lambda x: ops.adaptive_avg_pool2d(x, 2), (IMAGES,)),
    "adaptive_max_pool2d": (lambda x: ops.adaptive_max_pool2d(x, 2), (IMAGES,)),
    "add": (ops.add, (IMAGES, OTHER)),
    "avg_pool2d": (lambda x: ops.avg_pool2d(x, 2), (IMAGES,)),
    "batch_norm": (lambda x, w, b: ops.batch_norm(x, None, None, w, b, training=True), (IMAGES, VECTOR, VECTOR)),
    "binary_cross_entropy_with_logits": (ops.binary_cross_entropy_with_logits, (IMAGES, OTHER)),
    "cast": (lambda x: ops.cast(x, np.float32), (IMAGES,)),
    "clamp": (lambda x: ops.clamp(x, 0.7, 1.5), (IMAGES,)),
    "concat": (lambda x, y: ops.concat([x, y], 1), (IMAGES, OTHER)),
    "conv2d": (ops.conv2d, (IMAGES, WEIGHT, positive(5))),
    "conv_transpose2d": (ops.conv_transpose2d, (IMAGES, real(3, 5, 3, 3, seed=1), positive(5))),
    "cross_entropy": (lambda x: ops.cross_entropy(x, LABELS), (MATRIX,)),
    "div": (ops.div, (IMAGES, OTHER)),
    "dropout": (ops.dropout, (IMAGES,)),
    "dropout2d": (ops.dropout2d, (IMAGES,)),
    "elu": (ops.elu, (IMAGES,)),
    "exp": (ops.exp, (IMAGES,)),
    "flatten": (lambda x: ops.flatten(x, 1), (IMAGES,)),
    "gelu": (ops.gelu, (IMAGES,)),
    "getitem": (lambda x: ops.getitem(x, (slice(None), 1)), (IMAGES,)),
    "group_norm": (lambda x, w, b: ops.group_norm(x, 3, w, b), (IMAGES, VECTOR, VECTOR + 1)),
    "hardsigmoid": (ops.hardsigmoid, (IMAGES,)),
    "hardswish": (ops.hardswish, (IMAGES,)),
    "huber_loss": (ops.huber_loss, (IMAGES, OTHER)),
    "interpolate": (lambda x: ops.interpolate(x, (5, 7), mode="bilinear"), (IMAGES,)),
    "kl_div": (ops.kl_div, (IMAGES, OTHER)),
    "l1_loss": (ops.l1_loss, (IMAGES, OTHER)),
    "layer_norm": (lambda x, w, b: ops.layer_norm(x, 5, w, b), (MATRIX, positive(5), positive(5, seed=2))),
    "leaky_relu": (ops.leaky_relu, (IMAGES,)),
    "linear": (ops.linear, (MATRIX, positive(2, 5), positive(2))),
    "local_response_norm": (lambda x: ops.local_response_norm(x, 2), (IMAGES,)),
    "log": (ops.log, (IMAGES,)),
    "log_softmax": (lambda x: ops.log_softmax(x, 1), (IMAGES,)),
    "matmul": (ops.matmul, (MATRIX, positive(5, 3))),
    "max": (lambda x: ops.max(x, 1).values, (IMAGES,)),
    "max_pool2d": (lambda x: ops.max_pool2d(x, 2), (IMAGES,)),
    "maximum": (ops.maximum, (IMAGES, OTHER)),
    "mean": (lambda x: ops.mean(x, 1), (IMAGES,)),
    "min": (lambda x: ops.min(x, 1).values, (IMAGES,)),
    "minimum": (ops.minimum, (IMAGES, OTHER)),
    "mse_loss": (ops.mse_loss, (IMAGES, OTHER)),
    "mul": (ops.mul, (IMAGES, OTHER)),
    "neg": (ops.neg, (IMAGES,)),
    "nll_loss": (lambda x: ops.nll_loss(x, LABELS), (MATRIX,)),
    "pad": (lambda x: ops.pad(x, (1, 1)), (IMAGES,)),
    "permute": (lambda x: ops.permute(x, (0, 2, 3, 1)), (IMAGES,)),
    "pow": (ops.pow, (IMAGES, OTHER)),
    "relu": (ops.relu, (IMAGES,)),
    "relu6": (ops.relu6, (IMAGES,)),
    "reshape": (lambda x: ops.reshape(x, (6, 16)), (IMAGES,)),
    "sigmoid": (ops.sigmoid, (IMAGES,)),
    "silu": (ops.silu, (IMAGES,)),
    "smooth_l1_loss": (ops.smooth_l1_loss, (IMAGES, OTHER)),
    "soft_cross_entropy": (ops.soft_cross_entropy, (MATRIX, MATRIX * 0.5)),
    "softmax": (lambda x: ops.softmax(x, 1), (IMAGES,)),
    "softplus": (ops.softplus, (IMAGES,)),
    "sqrt": (ops.sqrt, (IMAGES,)),
    "sub": (ops.sub, (IMAGES, OTHER)),
    "sum": (lambda x: ops.sum(x, 1), (IMAGES,)),
    "tanh": (ops.tanh, (IMAGES,)),
    "where": (lambda x, y: ops.where(MASK, x, y), (IMAGES, OTHER)),
}
# Results that have the shape of the images they come from.
ELEMENTWISE = (
    "abs", "add", "clamp", "div", "dropout", "dropout2d", "elu", "exp", "gelu", "hardsigmoid", "hardswish", "leaky_relu",
    "local_response_norm", "log", "log_softmax", "maximum", "minimum", "mul", "neg", "pow", "relu", "relu6", "sigmoid",
    "silu", "softmax", "softplus", "sqrt", "sub", "tanh", "where",
)  # fmt: skip
