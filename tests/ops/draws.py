"""tests.ops.draws: float64 inputs for gradient checks, and the shapes that elementwise and reducing ops are tried with."""

from __future__ import annotations

from functools import partial

import numpy as np

import fastcnn

# Central differences in float64 are good to about 1e-9 of the result where the op is smooth, and the draws avoid its kinks.
gradcheck = partial(fastcnn.gradcheck, atol=1e-6, rtol=1e-6)

# Two operands that broadcast.
PAIRS = {
    "same": ((3, 4), (3, 4)),
    "scalars": ((), ()),
    "scalar_left": ((), (2, 3)),
    "scalar_right": ((2, 3), ()),
    "row": ((3, 4), (4,)),
    "column": ((3, 1), (3, 4)),
    "both_stretched": ((3, 1), (1, 4)),
    "more_axes_right": ((4,), (2, 3, 4)),
    "channels": ((2, 3, 4, 5), (1, 3, 1, 1)),
    "ones": ((1, 1), (2, 3, 4)),
    "empty": ((0, 3), (1, 3)),
}
SHAPES = {"scalar": (), "vector": (7,), "matrix": (3, 5), "images": (2, 3, 4, 5), "empty": (0, 4)}
# Shape, dim, keepdim.
REDUCTIONS = {
    "scalar": ((), None, False),
    "all": ((3, 4), None, False),
    "all_keep": ((3, 4), None, True),
    "first": ((3, 4), 0, False),
    "last": ((3, 4), -1, True),
    "middle": ((2, 3, 4), 1, False),
    "image": ((2, 3, 4, 5), (2, 3), False),
    "image_keep": ((2, 3, 4, 5), (-1, -2), True),
    "batch_and_image": ((2, 3, 4, 5), (0, 2, 3), False),
    "length_one": ((1, 4), 0, False),
}


def real(*shape, seed=0):
    """Standard normal values."""
    return np.random.default_rng(seed).standard_normal(shape)


def positive(*shape, seed=0):
    """Values of 0.5 to 2."""
    return np.random.default_rng(seed).uniform(0.5, 2.0, shape)


def distinct(*shape, seed=0):
    """Values at least 0.1 apart and at least 0.05 from zero, so that no step of a gradient check changes their order."""
    count = int(np.prod(shape))
    values = 0.1 * (np.arange(count) - count // 2) + 0.05
    return np.random.default_rng(seed).permutation(values).reshape(shape)


def channels_last(x):
    """The same values in NHWC memory."""
    return np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
