"""tests.cases.conv2d: rows of the convolution."""

from __future__ import annotations

from itertools import product

from fastcnn.shapes import Conv2dCase, conv2d_case

from .tails import CHANNEL_TAILS


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
    "1x1_wide": _conv(1, 24, 13, 11, 100, 1),
    "1x1_large": _conv(2, 300, 9, 7, 450, 1),
    "1x1_many_pixels": _conv(2, 40, 47, 47, 24, 1),
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
