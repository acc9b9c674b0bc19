"""fastcnn.shapes: the checked geometry of convolution and pooling; every room shares these tuples."""

from __future__ import annotations

from operator import index as _index
from typing import NamedTuple

from .errors import ArgumentError, ShapeError

# Offsets inside one image are computed in 64 bits, sizes are kept below this bound so that no product of a
# coordinate, a stride and an item size can overflow them.
MAX_SIZE = 2**31 - 1
MAX_ELEMENTS = 2**40  # of an output or a padded image: 4 TiB in float32, which no machine here can hold


class Conv2dCase(NamedTuple):
    """Geometry of one 2-D cross-correlation, in elements; `pt pb pl pr` pad top, bottom, left, right."""

    batch: int
    ci: int
    ih: int
    iw: int
    co: int
    kh: int
    kw: int
    sh: int
    sw: int
    pt: int
    pb: int
    pl: int
    pr: int
    dh: int
    dw: int
    groups: int
    oh: int
    ow: int

    @property
    def x_shape(self) -> tuple[int, int, int, int]:
        return self.batch, self.ci, self.ih, self.iw

    @property
    def w_shape(self) -> tuple[int, int, int, int]:
        return self.co, self.ci // self.groups, self.kh, self.kw

    @property
    def y_shape(self) -> tuple[int, int, int, int]:
        return self.batch, self.co, self.oh, self.ow

    @property
    def macs(self) -> int:
        """Multiply-adds of one direct evaluation (any of the three directions)."""
        return self.batch * self.co * self.oh * self.ow * (self.ci // self.groups) * self.kh * self.kw


class Pool2dCase(NamedTuple):
    """Geometry of one 2-D pooling; padding is symmetric, `oh` and `ow` already respect `ceil_mode`."""

    batch: int
    channels: int
    ih: int
    iw: int
    kh: int
    kw: int
    sh: int
    sw: int
    ph: int
    pw: int
    dh: int
    dw: int
    oh: int
    ow: int
    count_include_pad: bool = True

    @property
    def x_shape(self) -> tuple[int, int, int, int]:
        return self.batch, self.channels, self.ih, self.iw

    @property
    def y_shape(self) -> tuple[int, int, int, int]:
        return self.batch, self.channels, self.oh, self.ow


def pair(op: str, name: str, value, low: int) -> tuple[int, int]:
    """Return `value` (an int, or two of them) as a pair; raise ArgumentError below `low` or above MAX_SIZE."""
    try:
        a, b = (value, value) if not isinstance(value, (tuple, list)) else value
        a, b = _index(a), _index(b)
    except (TypeError, ValueError):
        raise ArgumentError(f"{op}: {name} must be an int or a pair of ints, got {value!r}") from None
    for v in (a, b):
        if not low <= v <= MAX_SIZE:
            raise ArgumentError(f"{op}: {name} must be between {low} and {MAX_SIZE}, got {value!r}")
    return a, b


def _four_paddings(op: str, value, effective: tuple[int, int], stride: tuple[int, int]):
    """Padding as (top, bottom, left, right): int, pair, 'valid', 'same' or an explicit four-tuple."""
    if isinstance(value, str):
        if value == "valid":
            return 0, 0, 0, 0
        if value != "same":
            raise ArgumentError(f"{op}: padding must be 'valid', 'same', an int or a tuple of ints, got {value!r}")
        if stride != (1, 1):
            raise ArgumentError(f"{op}: padding='same' needs stride 1, got stride={stride}")
        th, tw = effective[0] - 1, effective[1] - 1
        return th // 2, th - th // 2, tw // 2, tw - tw // 2
    if isinstance(value, (tuple, list)) and len(value) == 4:
        pt, pb = pair(op, "padding", tuple(value[:2]), 0)
        pl, pr = pair(op, "padding", tuple(value[2:]), 0)
        return pt, pb, pl, pr
    ph, pw = pair(op, "padding", value, 0)
    return ph, ph, pw, pw


def _check_rank4(op: str, name: str, shape) -> None:
    if len(shape) != 4:
        raise ShapeError(f"{op}: {name} must have 4 axes (batch, channels, height, width), got {name}.shape={tuple(shape)}")


def conv2d_case(x_shape, w_shape, stride=1, padding=0, dilation=1, groups=1, *, op: str = "conv2d") -> Conv2dCase:
    """Check a convolution and return its geometry.

    `x_shape` is (batch, ci, ih, iw), `w_shape` is (co, ci / groups, kh, kw). Raises ShapeError or ArgumentError with
    both shapes in the text. oh = floor((ih + pt + pb - dh * (kh - 1) - 1) / sh) + 1, and the same for ow.
    """
    _check_rank4(op, "x", x_shape)
    if len(w_shape) != 4:
        raise ShapeError(f"{op}: weight must have 4 axes (co, ci/groups, kh, kw), got weight.shape={tuple(w_shape)}")
    shapes = f"(x.shape={tuple(x_shape)}, weight.shape={tuple(w_shape)})"
    batch, ci, ih, iw = x_shape
    co, cig, kh, kw = w_shape
    sh, sw = pair(op, "stride", stride, 1)
    dh, dw = pair(op, "dilation", dilation, 1)
    try:
        groups = _index(groups)
    except TypeError:
        raise ArgumentError(f"{op}: groups must be an int, got {groups!r}") from None
    if groups < 1:
        raise ArgumentError(f"{op}: groups must be at least 1, got {groups}")
    if kh < 1 or kw < 1 or co < 1 or cig < 1:
        raise ShapeError(f"{op}: weight must not be empty {shapes}")
    if cig * groups != ci:
        raise ShapeError(
            f"{op}: weight expects {cig * groups} input channels"
            + (f" ({cig} in each of {groups} groups)" if groups > 1 else "")
            + f", x has {ci} {shapes}"
        )
    if co % groups:
        raise ShapeError(f"{op}: {co} output channels cannot be split into {groups} groups {shapes}")
    eh, ew = dh * (kh - 1) + 1, dw * (kw - 1) + 1
    pt, pb, pl, pr = _four_paddings(op, padding, (eh, ew), (sh, sw))
    for axis, size, lo, hi, eff in (("height", ih, pt, pb, eh), ("width", iw, pl, pr, ew)):
        if size < 1 and batch > 0:
            raise ShapeError(f"{op}: x has an empty {axis} {shapes}")
        if eff > size + lo + hi:
            raise ShapeError(
                f"{op}: kernel {axis} {eff} (with dilation) is larger than the padded image {axis} {size + lo + hi} {shapes}"
            )
        if size + lo + hi > MAX_SIZE:
            raise ShapeError(f"{op}: the padded image {axis} {size + lo + hi} is above {MAX_SIZE} {shapes}")
    oh, ow = (ih + pt + pb - eh) // sh + 1, (iw + pl + pr - ew) // sw + 1
    if batch * co * oh * ow > MAX_ELEMENTS:
        raise ShapeError(f"{op}: the output ({batch}, {co}, {oh}, {ow}) is too large {shapes}")
    if max(batch, 1) * ci * (ih + pt + pb) * (iw + pl + pr) > MAX_ELEMENTS:
        raise ShapeError(f"{op}: the padded image {ih + pt + pb} x {iw + pl + pr} is too large {shapes}")
    return Conv2dCase(batch, ci, ih, iw, co, kh, kw, sh, sw, pt, pb, pl, pr, dh, dw, groups, oh, ow)


def conv_transpose2d_case(
    x_shape, w_shape, stride=1, padding=0, output_padding=0, groups=1, dilation=1, *, op: str = "conv_transpose2d"
) -> Conv2dCase:
    """Check a transposed convolution and return the geometry of the convolution whose data gradient it is.

    `x_shape` is (batch, in, ih, iw), `w_shape` is (in, out / groups, kh, kw); in the result `co` is in, `ci` is out, `oh` is
    ih, and `ih` = (ih - 1) sh - 2 ph + dh (kh - 1) + output_padding + 1. Raises ShapeError or ArgumentError.
    """
    _check_rank4(op, "x", x_shape)
    if len(w_shape) != 4:
        raise ShapeError(f"{op}: weight must have 4 axes (in, out/groups, kh, kw), got weight.shape={tuple(w_shape)}")
    shapes = f"(x.shape={tuple(x_shape)}, weight.shape={tuple(w_shape)})"
    strides, dilations = pair(op, "stride", stride, 1), pair(op, "dilation", dilation, 1)
    pads, extra = pair(op, "padding", padding, 0), pair(op, "output_padding", output_padding, 0)
    if any(e >= max(s, d) for e, s, d in zip(extra, strides, dilations, strict=True)):
        raise ArgumentError(
            f"{op}: output_padding must be smaller than stride or dilation, got output_padding={extra}, stride={strides}, "
            f"dilation={dilations}"
        )
    try:
        groups = _index(groups)
    except TypeError:
        raise ArgumentError(f"{op}: groups must be an int, got {groups!r}") from None
    if groups < 1 or w_shape[0] % groups:
        raise ArgumentError(f"{op}: groups must divide the {w_shape[0]} input channels of weight, got {groups} {shapes}")
    if x_shape[1] != w_shape[0]:
        raise ShapeError(f"{op}: weight expects {w_shape[0]} input channels, x has {x_shape[1]} {shapes}")
    out = []
    for axis, size, k, s, p, d, e in zip(
        ("height", "width"), x_shape[2:], w_shape[2:], strides, pads, dilations, extra, strict=True
    ):
        out.append((size - 1) * s - 2 * p + d * (k - 1) + e + 1)
        if size < 1 or out[-1] < 1:
            raise ShapeError(f"{op}: the output would have the {axis} {out[-1]} {shapes}")
    case = conv2d_case((x_shape[0], w_shape[1] * groups, *out), w_shape, strides, pads, dilations, groups, op=op)
    return case._replace(oh=x_shape[2], ow=x_shape[3])  # output_padding above the stride would make it larger


def pool2d_case(
    x_shape, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, count_include_pad=True, *, op: str = "max_pool2d"
) -> Pool2dCase:
    """Check a pooling and return its geometry (PyTorch's rules, `ceil_mode` windows never start in the right padding)."""
    _check_rank4(op, "x", x_shape)
    batch, channels, ih, iw = x_shape
    kh, kw = pair(op, "kernel_size", kernel_size, 1)
    sh, sw = (kh, kw) if stride is None else pair(op, "stride", stride, 1)
    ph, pw = pair(op, "padding", padding, 0)
    dh, dw = pair(op, "dilation", dilation, 1)
    if 2 * ph > kh or 2 * pw > kw:
        raise ArgumentError(
            f"{op}: padding must be at most half of the kernel, got padding={padding!r}, kernel_size={kernel_size!r}"
        )
    if batch > 0 and (channels < 1 or ih < 1 or iw < 1):
        raise ShapeError(f"{op}: x has an empty axis (x.shape={tuple(x_shape)})")
    if kh * kw > MAX_SIZE:
        raise ArgumentError(f"{op}: a window has at most {MAX_SIZE} taps, got kernel_size={kernel_size!r}")
    out = []
    for axis, size, k, s, p, d in (("height", ih, kh, sh, ph, dh), ("width", iw, kw, sw, pw, dw)):
        effective = d * (k - 1) + 1
        if effective > size + 2 * p and not (ceil_mode and effective - (s - 1) <= size + 2 * p):
            padded = size + 2 * p
            raise ShapeError(
                f"{op}: kernel {axis} {effective} is larger than the padded image {axis} {padded} (x.shape={tuple(x_shape)})"
            )
        n = (size + 2 * p - effective + (s - 1 if ceil_mode else 0)) // s + 1
        if ceil_mode and (n - 1) * s >= size + p:
            n -= 1
        out.append(n)
    return Pool2dCase(batch, channels, ih, iw, kh, kw, sh, sw, ph, pw, dh, dw, out[0], out[1], bool(count_include_pad))
