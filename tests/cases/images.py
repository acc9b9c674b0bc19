"""tests.cases.images: rows of batch normalisation, of elementwise operations and of the conversion of layouts."""

from __future__ import annotations

from .tails import CHANNEL_TAILS

BATCH_NORM: dict[str, tuple[int, ...]] = {
    "images": (3, 17, 6, 5),
    "one_image": (1, 16, 4, 4),
    "one_channel": (4, 1, 5, 5),
    "many_channels": (2, 130, 3, 3),
    "large_plane": (2, 8, 40, 40),
    "large": (2, 40, 50, 51),
    "long_vectors": (700, 300),
    "vectors": (32, 19),
    "two_vectors": (2, 65),
    "one_value": (1, 6, 1, 1),
    "batch_0": (0, 4, 3, 3),
} | {f"channels_{c}": (2, c, 3, 4) for c in CHANNEL_TAILS}

GROUP_NORM: dict[str, tuple[tuple[int, int, int, int], int]] = {  # shape, groups
    "images": ((3, 18, 6, 5), 3),
    "one_group": ((2, 12, 5, 4), 1),
    "each_channel": ((2, 17, 4, 4), 17),
    "one_image": ((1, 32, 9, 7), 8),
    "one_channel": ((3, 1, 5, 5), 1),
    "one_pixel": ((5, 24, 1, 1), 3),
    "many_channels": ((2, 260, 3, 3), 4),
    "large_plane": ((2, 8, 64, 65), 2),
    "large": ((5, 64, 30, 31), 32),
    "wide": ((3, 640, 9, 9), 5),
    "batch_0": ((0, 4, 3, 3), 2),
} | {f"channels_{c}": ((2, c, 3, 4), 1) for c in CHANNEL_TAILS}

LAYER_NORM: dict[str, tuple[tuple[int, int], int]] = {  # (rows, values), groups
    "rows": ((19, 33), 1),
    "groups": ((9, 60), 4),
    "one_row": ((1, 100), 1),
    "one_value": ((5, 1), 1),
    "long_rows": ((3, 9001), 1),
    "large": ((1100, 96), 1),
    "large_groups": ((700, 128), 8),
    "batch_0": ((0, 7), 1),
} | {f"values_{n}": ((3, n), 1) for n in CHANNEL_TAILS}

RELU: dict[str, tuple[int, ...]] = {
    "images": (2, 5, 7, 3),
    "vectors": (9, 13),
    "one_axis": (101,),
    "scalar": (),
    "three_axes": (3, 4, 5),
    "large": (2, 64, 33, 31),
    "batch_0": (0, 3, 4, 4),
} | {f"size_{n}": (n,) for n in range(1, 34)}

# Kind, its two parameters, shape.
ACTIVATION: dict[str, tuple[str, float, float, tuple[int, ...]]] = {
    f"{kind}-{name}": (kind, p, q, RELU[name])
    for kind, p, q in (
        ("clamp", -2.5, 3.5),
        ("relu6", 0.0, 0.0),
        ("leaky_relu", 0.1, 0.0),
        ("elu", 1.3, 0.0),
        ("sigmoid", 0.0, 0.0),
        ("tanh", 0.0, 0.0),
        ("silu", 0.0, 0.0),
        ("gelu", 0.0, 0.0),
        ("gelu_tanh", 0.0, 0.0),
        ("hardsigmoid", 0.0, 0.0),
        ("hardswish", 0.0, 0.0),
        ("softplus", 1.5, 2.0),
    )
    for name in ("images", "vectors", "scalar", "large", "batch_0", "size_1", "size_7", "size_17", "size_33")
}

IMAGES: dict[str, tuple[int, int, int, int]] = {  # for layout conversion
    "small": (2, 3, 5, 7),
    "one_channel": (3, 1, 6, 5),
    "one_pixel": (2, 33, 1, 1),
    "large": (2, 64, 31, 29),
    "first_layer": (2, 3, 64, 64),
    "batch_0": (0, 3, 4, 4),
} | {f"channels_{c}": (1, c, 6, 7) for c in range(1, 34)}
