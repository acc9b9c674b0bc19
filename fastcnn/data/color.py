"""data.color: random brightness and contrast."""

from __future__ import annotations

import numpy as np

from ..errors import ArgumentError, ShapeError

# Weights of red, green and blue in the brightness of a pixel: ITU-R BT.601.
GREY = np.array([0.299, 0.587, 0.114], np.float32)


class ColorJitter:
    """Change brightness, then contrast, of each image by a random factor.

    Parameters
    ----------
    brightness, contrast : float
        The factor is uniform in [max(0, 1 - value), 1 + value]; 0 changes nothing. Contrast stretches the distance to the mean
        grey of the image.

    Notes
    -----
    Pixels are limited to 0 .. 255 (uint8) or 0 .. 1 (floats), so it must run before images are normalised. Images have one
    channel or three.
    """

    pixels = True

    def __init__(self, brightness: float = 0.0, contrast: float = 0.0):
        if not (0 <= brightness < float("inf") and 0 <= contrast < float("inf")):
            raise ArgumentError(f"ColorJitter: brightness and contrast must be at least 0, got {brightness!r}, {contrast!r}")
        self.brightness, self.contrast = float(brightness), float(contrast)

    def __call__(self, x: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        if x.shape[1] not in (1, 3):
            raise ShapeError(f"ColorJitter: x must have 1 or 3 channels, got x.shape={x.shape}")
        top = 255 if x.dtype == np.uint8 else 1
        y = x.transpose(0, 2, 3, 1).astype(np.float64 if x.dtype == np.float64 else np.float32, order="C")  # (N, H, W, C)
        factors = [generator.uniform(max(0.0, 1 - v), 1 + v, (len(x), 1, 1, 1)) for v in (self.brightness, self.contrast)]
        bright, stretch = (factor.astype(y.dtype) for factor in factors)
        np.clip(np.multiply(y, bright, out=y), 0, top, out=y)
        grey = y @ GREY.astype(y.dtype) if x.shape[1] == 3 else y[..., 0]
        mean = grey.mean(axis=(1, 2), keepdims=True)[..., None]
        y = np.clip((y - mean) * stretch + mean, 0, top)
        return (np.rint(y) if x.dtype == np.uint8 else y).astype(x.dtype, copy=False).transpose(0, 3, 1, 2)
