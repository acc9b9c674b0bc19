"""data.rotation: random rotation, through scipy.ndimage (extra `augment`)."""

from __future__ import annotations

import numpy as np

from ..errors import ArgumentError, MissingExtraError, ShapeError

GAP = 1  # pixels of `fill` around each image, which the interpolation at its border sees


class RandomRotation:
    """Turn each image about its middle by a random angle; the size stays, corners are filled.

    Parameters
    ----------
    degrees : float or (least, most)
        A number means (-degrees, degrees). Positive angles turn counter-clockwise.
    order : {0, 1}
        0: nearest pixel, 1: bilinear.
    fill : number, or one per channel
        In units of the images that come in.

    Raises
    ------
    MissingExtraError
        When scipy is not installed.
    """

    pixels = True

    def __init__(self, degrees, order: int = 1, fill=0.0):
        least, most = degrees if isinstance(degrees, (tuple, list)) else (-degrees, degrees)
        if not least <= most or not np.isfinite([least, most]).all() or order not in (0, 1):
            raise ArgumentError(f"RandomRotation: degrees must be finite and rise, order 0 or 1, got {degrees!r}, {order!r}")
        _ndimage()
        self.degrees, self.order, self.fill = (float(least), float(most)), order, fill

    def __call__(self, x: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        n, c, h, w = x.shape
        fill = np.asarray(self.fill, np.float64)
        if fill.size not in (1, c) or fill.ndim > 1:
            raise ShapeError(f"RandomRotation: fill must be a number or one per channel, x has {c}, fill.shape={fill.shape}")
        angle = np.radians(generator.uniform(*self.degrees, n))[:, None, None]
        rows, columns = np.arange(h)[:, None] - (h - 1) / 2, np.arange(w) - (w - 1) / 2
        # where each pixel comes from, (N, H, W), in the image with its gap
        row = np.cos(angle) * rows + np.sin(angle) * columns + (h - 1) / 2 + GAP
        column = np.cos(angle) * columns - np.sin(angle) * rows + (w - 1) / 2 + GAP
        # The images are stacked, one below the other, into one tall image, so that one call turns them all.
        row = row.clip(0, h + 2 * GAP - 1) + np.arange(n)[:, None, None] * (h + 2 * GAP)
        y = np.empty((n, h, w, c), x.dtype)
        for channel, value in enumerate(np.broadcast_to(fill.reshape(-1), (c,))):
            tall = np.full((n, h + 2 * GAP, w + 2 * GAP), value, np.float64 if x.dtype == np.float64 else np.float32)
            tall[:, GAP:-GAP, GAP:-GAP] = x[:, channel]
            tall = tall.reshape(-1, w + 2 * GAP)
            turned = _ndimage().map_coordinates(tall, (row, column), order=self.order, mode="nearest") if n else tall
            y[..., channel] = (np.rint(turned) if x.dtype == np.uint8 else turned).reshape(n, h, w)
        return y.transpose(0, 3, 1, 2)


def _ndimage():
    try:
        from scipy import ndimage
    except ImportError:
        raise MissingExtraError("RandomRotation needs scipy, from the extra 'augment': pip install 'fastcnn[augment]'") from None
    return ndimage
