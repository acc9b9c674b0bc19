"""tests.ops.gradients: random gradient checks of every op, layer and loss: shapes, options and memory orders from a seed."""

from __future__ import annotations

import numpy as np

from fastcnn import nn, ops

from .draws import distinct, positive, real
from .gradient_draws import (
    along,
    broadcast,
    dropped,
    elementwise,
    flag,
    images,
    labelled,
    layer,
    loss,
    pooling,
    reduction,
    resized,
    seed,
    shape,
    size,
    uniform,
)


def largest(function):
    def family(rng):
        x = distinct(*shape(rng, 1), seed=seed(rng))
        dim = int(rng.integers(-x.ndim, x.ndim))
        return (lambda x: function(x, dim)[0]), (x,)

    return family


def pair(rng):
    """Two operands that broadcast, all of whose values are apart."""
    full = shape(rng, 1)
    other = tuple(n if flag(rng) else 1 for n in full)[int(rng.integers(len(full) + 1)) :]
    x, y = distinct(*full, seed=seed(rng)), distinct(*other, seed=seed(rng)) + 0.05
    return (x, y) if flag(rng) else (y, x)


def extreme(function):
    return lambda rng: (function, pair(rng))


def where(rng):
    x, y = pair(rng)
    condition = rng.random(np.broadcast_shapes(x.shape, y.shape)) < 0.5
    condition = condition[:1] if flag(rng) else condition
    return (lambda x, y: ops.where(condition, x, y)), (x, y)


def reordering(rng):
    x = images(rng, kind=real)
    axes = tuple(int(a) for a in rng.permutation(4))
    first, last = sorted(int(a) for a in rng.integers(0, 4, 2))
    cut = slice(int(rng.integers(0, 2)), None, size(rng, 1, 2))
    functions = (
        lambda x: ops.permute(x, axes),
        lambda x: ops.reshape(ops.permute(x, axes), (-1, x.shape[1])),
        lambda x: ops.flatten(x, first, last),
        lambda x: ops.getitem(x, (slice(None), cut, ..., [0, 0, -1])),
        lambda x: ops.squeeze(ops.unsqueeze(x, first), first),
        lambda x: ops.chunk(x, 2, last)[0],
        lambda x: ops.split(x, 1, first)[-1],
    )
    return functions[int(rng.integers(len(functions)))], (x,)


def joining(rng):
    x, axis = real(*shape(rng, 1), seed=seed(rng)), 0
    y = real(size(rng), *x.shape[1:], seed=seed(rng))
    if flag(rng):
        return (lambda x, y: ops.concat([x, y, x], axis)), (x, y)
    return (lambda x, y: ops.stack([x, y, x], axis)), (x, real(*x.shape, seed=seed(rng)))


def padding(rng):
    x = images(rng, low=4, kind=real)
    mode = str(rng.choice(["constant", "reflect", "replicate", "circular"]))
    sides = tuple(int(n) for n in rng.integers(-1 if mode == "constant" else 0, 4, 4))
    return (lambda x: ops.pad(x, sides, mode)), (x,)


def matmul(rng):
    m, k, n = size(rng), size(rng, 1, 3, 17, 33), size(rng)
    return ops.matmul, (real(*shape(rng, 0, 2), m, k, seed=seed(rng)), real(k, *((n,) if flag(rng) else ()), seed=seed(rng)))


def linear(rng):
    k, n = size(rng, 1, 3, 17, 33), size(rng)
    x, w, b = real(*shape(rng, 1, 2), k, seed=seed(rng)), real(n, k, seed=seed(rng)), real(n, seed=seed(rng))
    return (ops.linear, (x, w, b)) if flag(rng) else (ops.linear, (x, w))


def conv2d(rng):
    groups = size(rng, 1, 1, 2, 3)
    ci, co, kh, kw = groups * size(rng, 1, 2, 5), groups * size(rng, 1, 3, 8), size(rng, 1, 2, 3), size(rng, 1, 3, 5)
    options = {
        "stride": (size(rng, 1, 2), size(rng, 1, 2, 3)),
        "padding": (size(rng, 0, 1, 2), size(rng, 0, 1)),
        "groups": groups,
    }
    options["dilation"] = size(rng, 1, 1, 2)
    x = images(rng, channels=ci, low=options["dilation"] * (max(kh, kw) - 1) + 1, kind=real)
    w, b = real(co, ci // groups, kh, kw, seed=seed(rng)), real(co, seed=seed(rng))
    return (lambda x, w, b: ops.conv2d(x, w, b, **options)), (x, w, b)


def conv_transpose2d(rng):
    groups, stride = size(rng, 1, 1, 2), size(rng, 1, 2, 3)
    ci, co, k = groups * size(rng, 1, 2, 5), groups * size(rng, 1, 3), size(rng, 2, 3)
    options = {"stride": stride, "padding": size(rng, 0, 1), "groups": groups, "output_padding": int(rng.integers(stride))}
    w, b = real(ci, co // groups, k, k, seed=seed(rng)), real(co, seed=seed(rng))
    return (lambda x, w, b: ops.conv_transpose2d(x, w, b, **options)), (images(rng, channels=ci, low=2, kind=real), w, b)


def batch_norm(rng):
    x = images(rng, low=2, kind=real)
    w, b = positive(x.shape[1], seed=seed(rng)), real(x.shape[1], seed=seed(rng))
    if flag(rng):
        return (lambda x, w, b: ops.batch_norm(x, None, None, w, b, True, eps=0.1)), (x, w, b)
    mean, var = real(x.shape[1], seed=seed(rng)), positive(x.shape[1], seed=seed(rng))
    return (lambda x, w, b: ops.batch_norm(x, mean, var, w, b, False)), (x, w, b)


def group_norm(rng):
    groups = size(rng, 1, 2, 3)
    c = groups * size(rng, 2, 3, 8)
    x = images(rng, channels=c, kind=real)
    x = (x, x[:, :, 0], x[:, :, 0, 0])[size(rng, 0, 1, 2)]
    return (lambda x, w, b: ops.group_norm(x, groups, w, b, 0.1)), (x, positive(c, seed=seed(rng)), real(c, seed=seed(rng)))


def layer_norm(rng):
    x = images(rng, low=2, kind=real)
    last = x.shape[-size(rng, 1, 2, 3) :]
    return (lambda x, w, b: ops.layer_norm(x, last, w, b, 0.1)), (x, positive(*last, seed=seed(rng)), real(*last, seed=seed(rng)))


def local_response_norm(rng):
    window, alpha = size(rng, 1, 2, 3, 5), rng.uniform(0.1, 1)
    return (lambda x: ops.local_response_norm(x, window, alpha)), (images(rng, kind=real),)


def layers(rng):
    makers = (
        (lambda: nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4, eps=0.1), nn.SiLU(), nn.AvgPool2d(2)), 3, 2, 4),
        (lambda: nn.Sequential(nn.Conv2d(2, 4, 1), nn.GroupNorm(2, 4, eps=0.1), nn.GELU()), 2, 2, 4),
        (lambda: nn.Sequential(nn.ConvTranspose2d(3, 2, 3, 2), nn.LocalResponseNorm(3, 0.5), nn.Tanh()), 3, 1, 4),
        (lambda: nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3), nn.LogSoftmax(1)), 4, 2, 4),
        (lambda: nn.DepthwiseSeparable(4, 5, activation=nn.Sigmoid), 4, 3, 4),
        (lambda: nn.SqueezeExcitation(6, 3, activation=nn.Tanh), 6, 1, 4),
        (
            lambda: nn.Sequential(nn.Upsample(scale_factor=2, mode="bilinear"), nn.ReplicationPad2d(1), nn.Conv2d(2, 2, 3)),
            2,
            2,
            4,
        ),
        (
            lambda: nn.Sequential(nn.Linear(5, 7), nn.LayerNorm(7, eps=0.1), nn.Softplus(), nn.Linear(7, 2), nn.Softmax(1)),
            5,
            1,
            2,
        ),
        (lambda: nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3, eps=0.1), nn.Sigmoid()), 4, 2, 2),
    )
    make, channels, low, rank = makers[int(rng.integers(len(makers)))]
    return layer(make, channels, low=low, rank=rank)(rng)


def distillation(rng):
    s, how = (size(rng), size(rng, 2, 5)), {"temperature": rng.uniform(0.5, 4), "alpha": rng.uniform(0, 1)}
    teacher, target = real(*s, seed=seed(rng)), rng.integers(0, s[1], s[0])
    return (lambda x: nn.functional.distillation_loss(x, teacher, target, **how)), (real(*s, seed=seed(rng)),)


FAMILIES = {
    "abs": elementwise(ops.abs),
    "clamp": elementwise(lambda x: ops.clamp(x, -0.5, 1.5)),
    "elu": elementwise(ops.elu, alpha=uniform(0.5, 2)),
    "exp": elementwise(ops.exp, real),
    "gelu": elementwise(ops.gelu, real, approximate=lambda rng: str(rng.choice(["none", "tanh"]))),
    "hardsigmoid": elementwise(ops.hardsigmoid),
    "hardswish": elementwise(ops.hardswish),
    "leaky_relu": elementwise(ops.leaky_relu, negative_slope=uniform(0, 0.5)),
    "log": elementwise(ops.log, positive),
    "neg": elementwise(ops.neg, real),
    "relu": elementwise(ops.relu),
    "relu6": elementwise(ops.relu6),
    "sigmoid": elementwise(ops.sigmoid, real),
    "silu": elementwise(ops.silu, real),
    "softplus": elementwise(ops.softplus, real, beta=uniform(0.5, 3)),
    "sqrt": elementwise(ops.sqrt, positive),
    "tanh": elementwise(ops.tanh, real),
    "add": broadcast(ops.add),
    "sub": broadcast(ops.sub),
    "mul": broadcast(ops.mul),
    "div": broadcast(ops.div),
    "pow": broadcast(ops.pow),
    "maximum": extreme(ops.maximum),
    "minimum": extreme(ops.minimum),
    "where": where,
    "sum": reduction(ops.sum),
    "mean": reduction(ops.mean),
    "max": largest(ops.max),
    "min": largest(ops.min),
    "softmax": along(ops.softmax),
    "log_softmax": along(ops.log_softmax),
    "reordering": reordering,
    "joining": joining,
    "pad": padding,
    "matmul": matmul,
    "linear": linear,
    "conv2d": conv2d,
    "conv_transpose2d": conv_transpose2d,
    "max_pool2d": pooling(ops.max_pool2d),
    "avg_pool2d": pooling(ops.avg_pool2d),
    "adaptive_avg_pool2d": resized(ops.adaptive_avg_pool2d),
    "adaptive_max_pool2d": resized(ops.adaptive_max_pool2d),
    "interpolate": resized(ops.interpolate, real),
    "bilinear": resized(lambda x, out, a: ops.interpolate(x, out, mode="bilinear", align_corners=a), real, a=flag),
    "batch_norm": batch_norm,
    "group_norm": group_norm,
    "layer_norm": layer_norm,
    "local_response_norm": local_response_norm,
    "dropout": dropped(ops.dropout),
    "dropout2d": dropped(ops.dropout2d),
    "mse_loss": loss(ops.mse_loss, real, real),
    "l1_loss": loss(ops.l1_loss),
    "smooth_l1_loss": loss(ops.smooth_l1_loss, beta=lambda rng: 0.06),
    "huber_loss": loss(ops.huber_loss, delta=lambda rng: 0.56),
    "binary_cross_entropy_with_logits": loss(ops.binary_cross_entropy_with_logits, real, positive),
    "kl_div": loss(ops.kl_div, real, positive),
    "kl_div of logarithms": loss(ops.kl_div, real, real, log_target=lambda rng: True),
    "soft_cross_entropy": loss(
        lambda x, t, **how: ops.soft_cross_entropy(x, t, **how), real, positive, label_smoothing=uniform(0, 1)
    ),
    "cross_entropy": labelled(ops.cross_entropy, label_smoothing=uniform(0, 0.5)),
    "nll_loss": labelled(ops.nll_loss),
    "distillation_loss": distillation,
    "layers": layers,
}
# What has no family of its own, and why.
ELSEWHERE = {
    "argmax": "has no gradient", "argmin": "has no gradient",
    "eq": "has no gradient", "ne": "has no gradient", "ge": "has no gradient",
    "gt": "has no gradient", "le": "has no gradient", "lt": "has no gradient", "cast": "leaves float64",
    "chunk": "reordering", "split": "reordering", "squeeze": "reordering", "unsqueeze": "reordering", "reshape": "reordering",
    "permute": "reordering", "flatten": "reordering", "getitem": "reordering", "concat": "joining", "stack": "joining",
}  # fmt: skip


def case(name: str, number: int):
    """(function, inputs) of case `number` of a family."""
    return FAMILIES[name](np.random.default_rng((sum(name.encode()), number)))
