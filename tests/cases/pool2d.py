"""tests.cases.pool2d: rows of pooling."""

from __future__ import annotations

from fastcnn.shapes import Pool2dCase, pool2d_case

POOL2D: dict[str, Pool2dCase] = {
    "2x2": pool2d_case((2, 5, 8, 6), 2),
    "3x3_stride_2": pool2d_case((2, 17, 9, 11), 3, 2),
    "resnet_stem": pool2d_case((1, 64, 15, 15), 3, 2, 1),
    "overlapping": pool2d_case((1, 16, 7, 7), 3, 1, 1),
    "ceil_mode": pool2d_case((2, 9, 8, 7), 3, 2, ceil_mode=True),
    "ceil_mode_padded": pool2d_case((1, 33, 6, 9), (3, 2), (2, 3), (1, 1), ceil_mode=True),
    "ceil_mode_tiny": pool2d_case((1, 3, 2, 2), 3, 2, ceil_mode=True),
    "padded_excluded": pool2d_case((2, 8, 7, 7), 3, 2, 1, count_include_pad=False),
    "ceil_padded_excluded": pool2d_case((1, 8, 8, 6), 4, 3, 2, ceil_mode=True, count_include_pad=False),
    "stride_above_kernel": pool2d_case((1, 16, 9, 11), 2, 3),
    "by_axis": pool2d_case((2, 6, 9, 12), (2, 3), (3, 1), (1, 0)),
    "1x1": pool2d_case((1, 15, 4, 4), 1),
    "1x1_strided": pool2d_case((1, 15, 5, 4), 1, 2),
    "row": pool2d_case((1, 7, 1, 19), (1, 3), (1, 2)),
    "whole_image": pool2d_case((3, 31, 7, 7), 7),
    "whole_image_by_axis": pool2d_case((2, 65, 3, 8), (3, 8)),
    "large": pool2d_case((2, 65, 29, 28), 3, 2, 1),
    "wide_kernel": pool2d_case((2, 3, 20, 19), (17, 18), 1),  # 306 taps: the index needs int32
    "few_channels": pool2d_case((12, 6, 12, 10), 2),  # rows enough for a table of where each vector of a row comes from
    "few_channels_padded": pool2d_case((16, 5, 9, 11), (2, 3), (2, 3), 1, ceil_mode=True),
    "few_channels_gaps": pool2d_case((24, 3, 9, 11), 2, 3),
    "one_channel": pool2d_case((16, 1, 8, 40), (2, 4)),
    "batch_0": pool2d_case((0, 4, 6, 6), 2),
}
POOL2D |= {f"channels_{c}": pool2d_case((1, c, 5, 6), 3, 2, 1) for c in range(1, 34)}

MAX_POOL2D: dict[str, Pool2dCase] = POOL2D | {
    "dilated": pool2d_case((2, 9, 9, 10), 3, 2, 1, dilation=2),
    "dilated_by_axis": pool2d_case((1, 17, 11, 7), 2, 1, 0, dilation=(5, 1), ceil_mode=True),
}

# Behind a batch-norm: more than one value per channel, else its variance says nothing.
NORM_POOL2D: dict[str, Pool2dCase] = POOL2D | {
    "256_taps": pool2d_case((1, 3, 20, 19), 16, 2),  # with the one for none, 257 values of the index
    "vgg": pool2d_case((3, 64, 8, 8), 2),
}

ADAPTIVE: dict[str, tuple[tuple[int, ...], tuple[int, int]]] = {
    "global": ((2, 17, 7, 7), (1, 1)),
    "global_wide": ((1, 65, 5, 9), (1, 1)),
    "even": ((1, 16, 8, 6), (4, 3)),
    "uneven": ((2, 5, 7, 10), (3, 4)),
    "by_axis": ((1, 33, 9, 5), (1, 5)),
    "large": ((3, 64, 30, 31), (7, 7)),
    "global_large": ((3, 130, 30, 31), (1, 1)),
    "up": ((1, 3, 2, 3), (5, 4)),
    "identity": ((1, 4, 3, 3), (3, 3)),
    "batch_0": ((0, 4, 6, 6), (1, 1)),
}

ADAPTIVE_MAX = (
    ADAPTIVE
    | {
        "wide_bins": ((1, 5, 40, 37), (2, 2)),  # bins of 20 x 19 pixels: the index needs int32
    }
    | {f"channels_{c}": ((1, c, 5, 7), (3, 2)) for c in range(1, 34)}
)

# Shape of x, size of y, mode, align_corners.
INTERPOLATE: dict[str, tuple[tuple[int, ...], tuple[int, int], str, bool]] = {
    "nearest_up": ((2, 5, 4, 3), (8, 9), "nearest", False),
    "nearest_down": ((1, 17, 9, 8), (4, 3), "nearest", False),
    "bilinear_up": ((2, 19, 4, 5), (8, 10), "bilinear", False),
    "bilinear_down": ((1, 16, 9, 7), (4, 3), "bilinear", False),
    "bilinear_aligned": ((1, 33, 5, 4), (11, 3), "bilinear", True),
    "one_pixel": ((3, 8, 1, 1), (5, 4), "bilinear", False),
    "to_one_pixel": ((3, 8, 5, 4), (1, 1), "bilinear", True),
    "large": ((2, 64, 28, 27), (56, 54), "bilinear", False),
    "batch_0": ((0, 3, 4, 4), (8, 8), "bilinear", False),
} | {f"channels_{c}": ((1, c, 3, 4), (5, 7), "bilinear", False) for c in range(1, 34)}
