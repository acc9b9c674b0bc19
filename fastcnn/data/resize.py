"""data.resize: bilinear resize of a batch of one-channel images as two small matrix products."""

from __future__ import annotations

import numpy as np


def _weights(n_in: int, n_out: int) -> np.ndarray:
    """Interpolation matrix (n_out, n_in); sample centres at (i + 0.5) * n_in / n_out - 0.5, clamped at the border."""
    centre = np.clip((np.arange(n_out) + 0.5) * n_in / n_out - 0.5, 0, n_in - 1)
    low = np.minimum(centre.astype(int), max(n_in - 2, 0))
    matrix = np.zeros((n_out, n_in))
    rows = np.arange(n_out)
    matrix[rows, low] = 1 - (centre - low)
    matrix[rows, np.minimum(low + 1, n_in - 1)] += centre - low
    return matrix


def resize_bilinear(images: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return images (N, H, W) resized to (N, height, width), float32."""
    rows, columns = _weights(images.shape[1], height), _weights(images.shape[2], width)
    return (rows @ images.astype(np.float64) @ columns.T).astype(np.float32)
