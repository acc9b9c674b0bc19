"""tests.cases: the one table of cases that reference, kernel, op and layer tests share. A bug fix starts with a row here."""

from __future__ import annotations

from itertools import product

import numpy as np

from fastcnn.shapes import Conv2dCase, Pool2dCase, conv2d_case, pool2d_case

CHANNEL_TAILS = (1, 3, 5, 15, 16, 17, 31, 33, 48, 65)  # below, at and above the vector and register-tile widths


def _conv(batch, ci, ih, iw, co, kernel, **options) -> Conv2dCase:
    kh, kw = kernel if isinstance(kernel, tuple) else (kernel, kernel)
    return conv2d_case((batch, ci, ih, iw), (co, ci // options.get("groups", 1), kh, kw), **options)


CONV2D_BASIC: dict[str, Conv2dCase] = {
    "tail": _conv(2, 5, 7, 9, 19, 3, padding=1),
    "plain": _conv(2, 8, 6, 6, 16, 3),
    "strided": _conv(2, 16, 9, 11, 17, 3, stride=2, padding=1),
    "strided_by_axis": _conv(1, 4, 11, 10, 8, 3, stride=(3, 2), padding=(0, 1)),
    "stride_above_kernel": _conv(2, 4, 11, 13, 8, 2, stride=4),
    "padded": _conv(1, 16, 5, 5, 32, 5, padding=2),
    "padded_above_kernel": _conv(1, 3, 2, 3, 5, 3, padding=3),
    "padded_asymmetric": _conv(2, 6, 6, 7, 9, 3, padding=(0, 2, 1, 3)),
    "padded_one_side": _conv(1, 16, 6, 7, 16, 3, padding=(1, 0, 0, 1)),
    "same_even_kernel": _conv(1, 4, 7, 6, 5, 4, padding="same"),
    "dilated": _conv(2, 7, 11, 12, 16, 3, dilation=2, padding=2),
    "dilated_by_axis": _conv(1, 5, 12, 9, 6, (2, 3), dilation=(4, 1), padding=(1, 2), stride=(1, 2)),
    "grouped": _conv(2, 12, 7, 7, 18, 3, groups=3, padding=1),
    "grouped_wide": _conv(1, 64, 6, 6, 64, 3, groups=2, padding=1, stride=2),
    "grouped_1x1": _conv(2, 20, 5, 4, 30, 1, groups=5),
    "depthwise": _conv(2, 17, 9, 8, 17, 3, groups=17, padding=1),
    "depthwise_strided": _conv(1, 32, 9, 9, 32, 3, groups=32, padding=1, stride=2),
    "depthwise_5x5": _conv(1, 19, 10, 8, 19, 5, groups=19, padding=2),
    "depthwise_multiplier": _conv(2, 6, 7, 7, 12, 3, groups=6, padding=1),
    "depthwise_dilated": _conv(1, 24, 9, 9, 24, 3, groups=24, padding=2, dilation=2),
    "depthwise_asymmetric": _conv(1, 18, 9, 20, 18, 3, groups=18, padding=(0, 2, 1, 3)),
    "depthwise_asymmetric_strided": _conv(1, 18, 9, 20, 18, 5, groups=18, padding=(3, 0, 0, 2), stride=2),
    "depthwise_strided_by_axis": _conv(1, 20, 11, 19, 20, 3, groups=20, padding=1, stride=(3, 1)),
    "depthwise_stride_above_kernel": _conv(1, 19, 11, 13, 19, 2, groups=19, stride=4),
    "depthwise_dilated_strided": _conv(1, 24, 12, 14, 24, 3, groups=24, padding=2, dilation=2, stride=2),
    "depthwise_7x7": _conv(1, 17, 9, 10, 17, 7, groups=17, padding=3),
    "batch_0": _conv(0, 3, 6, 6, 4, 3, padding=1),
    "batch_1": _conv(1, 16, 8, 8, 16, 3, padding=1),
    "batch_7": _conv(7, 3, 5, 5, 8, 3),
    "1x1": _conv(2, 33, 7, 5, 31, 1),
    "1x1_strided": _conv(2, 32, 9, 8, 48, 1, stride=2),
    "1x1_padded": _conv(1, 5, 4, 4, 6, 1, padding=1),
    "1x1_on_one_pixel": _conv(3, 40, 1, 1, 10, 1),
    "kernel_is_image": _conv(2, 16, 5, 4, 10, (5, 4)),
    "first_layer_7x7": _conv(1, 3, 30, 29, 64, 7, stride=2, padding=3),
    "first_layer_3x3": _conv(2, 3, 12, 12, 32, 3, padding=1),
    "lenet_5x5": _conv(2, 1, 14, 14, 6, 5, padding=2),
    "1xk": _conv(1, 9, 6, 17, 12, (1, 7), padding=(0, 3)),
    "kx1": _conv(1, 9, 17, 6, 12, (7, 1), padding=(3, 0)),
    "one_row_image": _conv(1, 16, 1, 40, 16, 3, padding=1),
    "one_column_image": _conv(1, 16, 40, 1, 16, 3, padding=1),
    "even_kernel": _conv(1, 8, 7, 8, 8, (2, 4), padding=1),
}

CONV2D_LAYERS: dict[str, Conv2dCase] = {
    "lenet_conv2": _conv(4, 6, 14, 14, 16, 5),
    "resnet20_16": _conv(2, 16, 32, 32, 16, 3, padding=1),
    "resnet18_64": _conv(1, 64, 20, 20, 64, 3, padding=1),
    "resnet18_down": _conv(1, 64, 18, 18, 128, 3, padding=1, stride=2),
    "resnet18_shortcut": _conv(1, 64, 18, 18, 128, 1, stride=2),
    "resnet18_7": _conv(2, 256, 7, 7, 128, 3, padding=1),
    "resnet50_reduce": _conv(1, 256, 14, 14, 64, 1),
    "resnet50_expand": _conv(1, 64, 14, 14, 256, 1),
    "mobilenet_depthwise": _conv(1, 96, 28, 28, 96, 3, padding=1, groups=96),
    "mobilenet_depthwise_down": _conv(2, 144, 28, 28, 144, 3, padding=1, groups=144, stride=2),
    "mobilenet_depthwise_7": _conv(2, 192, 7, 7, 192, 3, padding=1, groups=192),
    "depthwise_5x5_wide": _conv(1, 48, 20, 37, 48, 5, padding=2, groups=48),
    "mobilenet_project": _conv(1, 144, 14, 14, 24, 1),
    "vgg_small": _conv(2, 32, 16, 16, 64, 3, padding=1),
}

CONV2D_BLOCKS: dict[str, Conv2dCase] = {  # more than one block in the loops of the kernels, and their special strides
    "blocks_of_rows": _conv(1, 32, 70, 50, 16, 3, padding=1),
    "long_rows": _conv(1, 8, 3, 600, 9, 3, padding=1),
    "long_rows_1x1": _conv(2, 16, 24, 24, 24, 1),
    "4_kib_pixels": _conv(1, 1024, 4, 4, 136, 3),
    "4_kib_pixels_padded": _conv(1, 1024, 3, 3, 40, 3, padding=1),
    "4_kib_pixels_strided": _conv(1, 512, 7, 6, 136, 1, stride=2),
    "large_weights": _conv(1, 384, 7, 7, 320, 3, padding=1),
    "many_tiles": _conv(1, 256, 60, 58, 4, 3, padding=1),
}

CONV2D_WIDTHS = {f"width_{w}": _conv(1, 8, 2, w, 17, 3, padding=1) for w in range(1, 34)}
CONV2D_WIDTHS |= {f"width_{w}_1x1": _conv(1, 16, 1, w, 33, 1) for w in range(1, 34)}
CONV2D_CHANNELS = {f"channels_{ci}_{co}": _conv(1, ci, 4, 5, co, 3, padding=1) for ci in CHANNEL_TAILS for co in CHANNEL_TAILS}
CONV2D_CHANNELS |= {f"depthwise_{c}": _conv(1, c, 6, 5, c, 3, padding=1, groups=c) for c in CHANNEL_TAILS}
CONV2D_CHANNELS |= {
    f"depthwise_{c}_{k}x{k}_stride_{s}": _conv(1, c, 8, 9, c, k, padding=k // 2, groups=c, stride=s)
    for c, k, s in product((1, 3, 8, 16, 17, 32, 33, 96, 144), (3, 5), (1, 2))
}
CONV2D_WIDTHS |= {
    f"depthwise_width_{w}": _conv(1, 16, 3, w, 16, 3, padding=1, groups=16, stride=1 + w // 2 % 2) for w in range(1, 34)
}
CONV2D: dict[str, Conv2dCase] = CONV2D_BASIC | CONV2D_LAYERS | CONV2D_BLOCKS | CONV2D_WIDTHS | CONV2D_CHANNELS


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
    "batch_0": pool2d_case((0, 4, 6, 6), 2),
}
POOL2D |= {f"channels_{c}": pool2d_case((1, c, 5, 6), 3, 2, 1) for c in range(1, 34)}

MAX_POOL2D: dict[str, Pool2dCase] = POOL2D | {
    "dilated": pool2d_case((2, 9, 9, 10), 3, 2, 1, dilation=2),
    "dilated_by_axis": pool2d_case((1, 17, 11, 7), 2, 1, 0, dilation=(5, 1), ceil_mode=True),
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

RELU: dict[str, tuple[int, ...]] = {
    "images": (2, 5, 7, 3),
    "vectors": (9, 13),
    "one_axis": (101,),
    "scalar": (),
    "three_axes": (3, 4, 5),
    "large": (2, 64, 33, 31),
    "batch_0": (0, 3, 4, 4),
} | {f"size_{n}": (n,) for n in range(1, 34)}

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

IMAGES: dict[str, tuple[int, int, int, int]] = {  # for layout conversion
    "small": (2, 3, 5, 7),
    "one_channel": (3, 1, 6, 5),
    "one_pixel": (2, 33, 1, 1),
    "large": (2, 64, 31, 29),
    "first_layer": (2, 3, 64, 64),
    "batch_0": (0, 3, 4, 4),
} | {f"channels_{c}": (1, c, 6, 7) for c in range(1, 34)}

CASES: dict[str, dict] = {
    **dict.fromkeys(("conv2d_forward", "conv2d_backward_data", "conv2d_backward_weight", "conv2d_backward_bias"), CONV2D),
    "gemm": GEMM,
    **dict.fromkeys(("max_pool2d_forward", "max_pool2d_backward"), MAX_POOL2D),
    **dict.fromkeys(("avg_pool2d_forward", "avg_pool2d_backward"), POOL2D),
    **dict.fromkeys(("adaptive_avg_pool2d_forward", "adaptive_avg_pool2d_backward"), ADAPTIVE),
    **dict.fromkeys(("relu_forward", "relu_backward"), RELU),
    **dict.fromkeys(("batch_norm_forward", "batch_norm_backward", "batch_norm_inference"), BATCH_NORM),
    **dict.fromkeys(("cross_entropy_forward", "cross_entropy_backward"), CROSS_ENTROPY),
    **dict.fromkeys(("to_channels_last", "to_contiguous"), IMAGES),
}

# The few rows of each op on which every array layout is tried.
LAYOUT_ROWS: dict[str, tuple[str, ...]] = {
    "conv2d": ("tail", "strided", "grouped", "depthwise", "1x1", "1x1_strided", "lenet_5x5", "channels_48_33"),
    "gemm": ("tail", "square", "row"),
    "max_pool2d": ("3x3_stride_2", "ceil_mode_padded", "whole_image"),
    "avg_pool2d": ("3x3_stride_2", "ceil_mode_padded", "whole_image"),
    "adaptive_avg_pool2d": ("global", "uneven"),
    "relu": ("images", "vectors", "three_axes"),
    "batch_norm": ("images", "vectors"),
    "cross_entropy": ("ten_smoothed", "thousand"),
    "to": ("small", "large"),
}


def _in_memory_order(a, buffer_of):
    """Fill the array that `buffer_of(shape, dtype)` gives for channels-last memory and return it in the shape of `a`."""
    source = a.transpose(0, 2, 3, 1) if a.ndim == 4 else a
    view = buffer_of(source.shape, a.dtype)
    view[...] = source
    return view.transpose(0, 3, 1, 2) if a.ndim == 4 else view


def _poison(shape, dtype):
    return np.full(shape, np.nan if np.dtype(dtype).kind == "f" else np.iinfo(dtype).max, dtype)


def _at_byte(offset):
    def buffer_of(shape, dtype):
        nbytes = int(np.prod(shape)) * np.dtype(dtype).itemsize
        raw = np.zeros(nbytes + 128, np.uint8)
        start = -raw.ctypes.data % 64 + offset
        return raw[start : start + nbytes].view(dtype).reshape(shape)

    return buffer_of


def _inside_larger(shape, dtype):
    return _poison([n + 3 for n in shape], dtype)[tuple(slice(1, n + 1) for n in shape)]


def _every_second(shape, dtype):
    return _poison((*shape[:-1], 2 * shape[-1]), dtype)[..., ::2]


def _reversed(shape, dtype):
    return np.empty(shape, dtype)[(slice(None, None, -1),) * len(shape)]


LAYOUTS: dict[str, object] = {  # name -> allocation in channels-last memory order; None: made by `lay` itself
    "nhwc": np.empty,
    "nchw": None,
    "nchw_slice": None,
    "fortran": None,
    "read_only": None,
    "reversed": _reversed,
    "inside_larger": _inside_larger,
    "every_second": _every_second,
    "misaligned": lambda shape, dtype: _at_byte(np.dtype(dtype).itemsize)(shape, dtype),
    "unaligned": _at_byte(1),
}


def lay(a, layout: str):
    """Return a fresh array equal to `a` in the named memory layout; unused memory around it holds NaN."""
    if layout == "nchw" or not a.ndim:
        return np.array(a, order="C")
    if layout == "nchw_slice":  # every plane is contiguous, the image is not
        out = _poison([n + 2 * (axis < 2) for axis, n in enumerate(a.shape)], a.dtype)
        out = out[tuple(slice(1, n + 1) if axis < 2 else slice(None) for axis, n in enumerate(a.shape))]
        out[...] = a
        return out
    if layout == "fortran":
        return np.array(a, order="F")
    out = _in_memory_order(a, LAYOUTS[layout] or np.empty)
    out.flags.writeable = layout != "read_only"
    return out
