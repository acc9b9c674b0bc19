"""tests.cases.matrices: rows of the matrix product, of softmax, and of losses."""

from __future__ import annotations

from .tails import CHANNEL_TAILS

GEMM: dict[str, tuple[int, int, int]] = {  # m, k, n
    "one": (1, 1, 1),
    "square": (64, 64, 64),
    "tail": (37, 29, 53),
    "tall": (301, 20, 7),
    "wide": (3, 18, 333),
    "deep": (5, 2500, 9),
    "deep_block": (33, 700, 40),
    "row": (1, 128, 100),
    "column": (129, 64, 1),
    "outer": (40, 1, 50),
    "linear": (64, 400, 120),
    "blocks_of_rows": (2100, 70, 40),
    "4_kib_rows": (300, 1024, 136),
    "classifier": (7, 84, 10),
    "empty_m": (0, 5, 4),
    "empty_n": (4, 5, 0),
    "empty_k": (4, 0, 5),
}
GEMM |= {f"m_{m}": (m, 11, 35) for m in range(1, 34)} | {f"n_{n}": (9, 13, n) for n in range(1, 34)}
GEMM |= {f"mkn_{i}_{j}_{k}": (i, j, k) for i in (15, 17, 65) for j in (16, 33) for k in (31, 48, 65)}

SOFTMAX: dict[str, tuple[int, int, bool]] = {  # rows, values, logarithm
    f"{'log_' if logarithm else ''}{name}": (*shape, logarithm)
    for logarithm in (False, True)
    for name, shape in {
        "ten": (33, 10),
        "thousand": (9, 1000),
        "one_value": (5, 1),
        "one_row": (1, 40),
        "large": (300, 260),
        "rows_0": (0, 7),
        **{f"values_{n}": (3, n) for n in CHANNEL_TAILS},
    }.items()
}

# Kind, where the Huber loss becomes a line, factor, reduction, shape.
LOSS: dict[str, tuple[str, float, float, str, tuple[int, ...]]] = {
    f"{kind}-{reduction}-{name}": (kind, p, factor, reduction, shape)
    for kind, p, factor in (("square", 0.0, 1.0), ("absolute", 0.0, 1.0), ("huber", 1.5, 0.5), ("logits", 0.0, 1.0))
    for reduction in ("none", "sum", "mean")
    for name, shape in {"images": (2, 5, 7, 3), "vectors": (9, 13), "scalar": (), "large": (3, 7001), "size_0": (0, 3)}.items()
}

SOFT: dict[str, tuple[int, int, float, bool, str, bool]] = {  # samples, classes, smoothing, weights, reduction, of the target
    f"{name}-{reduction}-{kind}": (*shape, *options, reduction, kind == "target")
    for kind, options in (("plain", (0.0, False)), ("smoothed", (0.1, False)), ("weighted", (0.2, True)), ("target", (0.1, True)))
    for reduction, shapes in {
        "none": {"ten": (64, 10), "thousand": (9, 1000), "one_class": (5, 1), **{f"classes_{k}": (3, k) for k in range(2, 34)}},
        "sum": {"two": (33, 2), "batch_0": (0, 10)},
        "mean": {"large": (601, 100), "one_sample": (1, 10)},
    }.items()
    for name, shape in shapes.items()
}

CROSS_ENTROPY: dict[str, tuple[int, int, float]] = {  # samples, classes, label_smoothing
    "ten": (64, 10, 0.0),
    "ten_smoothed": (64, 10, 0.1),
    "one_sample": (1, 10, 0.0),
    "two_classes": (33, 2, 0.05),
    "one_class": (5, 1, 0.0),
    "thousand": (9, 1000, 0.1),
    "large": (601, 100, 0.1),
    "batch_0": (0, 10, 0.0),
} | {f"classes_{k}": (3, k, 0.2) for k in range(2, 34)}
