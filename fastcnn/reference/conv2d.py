"""reference.conv2d: 2-D cross-correlation and its three derivatives, one kernel tap at a time.

y[n, o, p, q] = b[o] + sum over c, r, s of x[n, g*cig + c, p*sh + r*dh - pt, q*sw + s*dw - pl] * w[o, c, r, s]

where g is the group of output channel o, cig = ci / groups, and x is zero outside of the image.
"""

from __future__ import annotations

import numpy as np

from ..shapes import Conv2dCase
from .precision import as_nchw, narrow, result_dtype, widen


def _pad(x, case: Conv2dCase):
    """(batch, ci, ih, iw) -> zero-padded (batch, ih + pt + pb, iw + pl + pr, ci)."""
    return np.pad(x.transpose(0, 2, 3, 1), ((0, 0), (case.pt, case.pb), (case.pl, case.pr), (0, 0)))


def _taps(case: Conv2dCase):
    """Yield (r, s, index): `index` selects from the padded image what tap (r, s) multiplies: (batch, oh, ow, ci)."""
    for r in range(case.kh):
        for s in range(case.kw):
            top, left = r * case.dh, s * case.dw
            rows = slice(top, top + (case.oh - 1) * case.sh + 1, case.sh)
            columns = slice(left, left + (case.ow - 1) * case.sw + 1, case.sw)
            yield r, s, (slice(None), rows, columns)


def _by_group(a, groups: int):
    """(batch, h, w, channels) -> (groups, batch * h * w, channels / groups)."""
    pixels = a.shape[0] * a.shape[1] * a.shape[2]
    return a.reshape(pixels, groups, a.shape[3] // groups).transpose(1, 0, 2)


def _join_groups(a, shape):
    """(groups, pixels, channels / groups) -> `shape` = (batch, h, w, channels)."""
    return a.transpose(1, 0, 2).reshape(shape)


def conv2d_forward(x, w, b, case: Conv2dCase):
    """Return y of shape (batch, co, oh, ow); `b` may be None."""
    dtype = result_dtype(x)
    x, w, b = widen(x, w, b)
    xp = _pad(x, case)
    y = np.zeros((case.batch, case.oh, case.ow, case.co), dtype=x.dtype)
    for r, s, at in _taps(case):
        # (groups, pixels, cig) @ (groups, cig, cog) -> (groups, pixels, cog)
        w_rs = w[:, :, r, s].reshape(case.groups, case.co // case.groups, case.ci // case.groups).transpose(0, 2, 1)
        y += _join_groups(_by_group(xp[at], case.groups) @ w_rs, y.shape)
    if b is not None:
        y += b
    return as_nchw(y, dtype)


def moments(y):
    """Return float64 (2, channels): mean of each channel of y and the sum of (y - mean)^2."""
    wide = y.astype(np.float64)
    mean = wide.mean(axis=(0, 2, 3), keepdims=True)
    return np.stack([mean.ravel(), ((wide - mean) ** 2).sum(axis=(0, 2, 3))])


def conv2d_forward_moments(x, w, b, case: Conv2dCase):
    """Return y as conv2d_forward and its moments."""
    y = conv2d_forward(x, w, b, case)
    return y, moments(y)


def conv2d_backward_data(dy, w, case: Conv2dCase):
    """Return dx of shape (batch, ci, ih, iw): each tap sends dy * w back to the pixel it has read."""
    dtype = result_dtype(dy)
    dy, w = widen(dy, w)
    dy = dy.transpose(0, 2, 3, 1)
    dxp = np.zeros((case.batch, case.ih + case.pt + case.pb, case.iw + case.pl + case.pr, case.ci), dtype=dy.dtype)
    for r, s, at in _taps(case):
        # (groups, pixels, cog) @ (groups, cog, cig) -> (groups, pixels, cig)
        w_rs = w[:, :, r, s].reshape(case.groups, case.co // case.groups, case.ci // case.groups)
        dxp[at] += _join_groups(_by_group(dy, case.groups) @ w_rs, (case.batch, case.oh, case.ow, case.ci))
    return as_nchw(dxp[:, case.pt : case.pt + case.ih, case.pl : case.pl + case.iw], dtype)


def conv2d_backward_weight(dy, x, case: Conv2dCase):
    """Return dw of shape (co, ci / groups, kh, kw), memory (co, kh, kw, ci / groups)."""
    dtype = result_dtype(dy)
    dy, x = widen(dy, x)
    xp = _pad(x, case)
    dy = _by_group(dy.transpose(0, 2, 3, 1), case.groups)
    dw = np.zeros((case.co, case.kh, case.kw, case.ci // case.groups), dtype=dy.dtype)
    for r, s, at in _taps(case):
        # (groups, cog, pixels) @ (groups, pixels, cig) -> (groups, cog, cig)
        dw[:, r, s] = (dy.transpose(0, 2, 1) @ _by_group(xp[at], case.groups)).reshape(case.co, -1)
    return as_nchw(dw, dtype)


def conv2d_backward_bias(dy):
    """Return db of shape (co,): the sum of dy over batch, height and width."""
    return narrow(widen(dy).sum(axis=(0, 2, 3)), result_dtype(dy))
