"""data.mixing: transforms that mix the images and the labels of a batch: `transform(x, y, generator) -> (x, y)`."""

from __future__ import annotations

import numpy as np

from ..errors import ArgumentError, DtypeError


class _Mixing:
    """What MixUp and CutMix share: the share of the first image, its partner, the labels."""

    mixes = True  # tells the loader that labels are needed

    def __init__(self, alpha: float = 1.0, num_classes: int | None = None):
        name = type(self).__name__
        if not 0 < alpha < float("inf"):
            raise ArgumentError(f"{name}: alpha must be a positive number, got {alpha!r}")
        if num_classes is not None and (
            isinstance(num_classes, bool) or not hasattr(num_classes, "__index__") or num_classes < 1
        ):
            raise ArgumentError(f"{name}: num_classes must be an int of at least 1 or None, got {num_classes!r}")
        self.alpha, self.num_classes = float(alpha), num_classes

    def _mixed_images(self, x, partner, share, generator):
        """Return the mixed images and the share of the first image that they have in the end."""
        raise NotImplementedError

    def __call__(self, x: np.ndarray, y: np.ndarray, generator: np.random.Generator):
        name = type(self).__name__
        if x.dtype.kind != "f":
            raise DtypeError(f"{name}: x must be floats, got {x.dtype}")
        if self.num_classes is not None and y.size and (y.min() < 0 or y.max() >= self.num_classes):
            raise ArgumentError(f"{name}: labels must lie between 0 and {self.num_classes - 1}, got {y.min()} to {y.max()}")
        share, order = float(generator.beta(self.alpha, self.alpha)), generator.permutation(len(x))
        x, share = self._mixed_images(x, order, share, generator)
        if self.num_classes is None:
            return x, (y, y[order], share)
        rows = np.arange(len(y))
        soft = np.zeros((len(y), self.num_classes), x.dtype)
        soft[rows, y] = share
        soft[rows, y[order]] += x.dtype.type(1) - x.dtype.type(share)
        return x, soft


class MixUp(_Mixing):
    """Mix each image with another one of its batch: share * x + (1 - share) * x[other], and so the labels [Zhang2018].

    Parameters
    ----------
    alpha : float
        The share of a batch is drawn from Beta(alpha, alpha).
    num_classes : int, optional
        Labels become probabilities (n, num_classes). Without it they become the tuple `(y, y[other], share)`, for the loss
        `share * loss(logits, y) + (1 - share) * loss(logits, y[other])`.

    Raises
    ------
    DtypeError
        When the images are not floats.
    ArgumentError
        When an option or a label is out of range.
    """

    def _mixed_images(self, x, partner, share, generator):
        nhwc = x.transpose(0, 2, 3, 1)
        mixed = nhwc.take(partner, axis=0)
        mixed *= x.dtype.type(1 - share)
        mixed += nhwc * x.dtype.type(share)
        return mixed.transpose(0, 3, 1, 2), share


class CutMix(_Mixing):
    """Replace a box of each image by that of another one of its batch; labels are mixed by area [Yun2019].

    The box is the same in the whole batch; its area is 1 - share of the image before it is cut off at the border, its centre
    uniform. Parameters, labels and errors as in MixUp.
    """

    def _mixed_images(self, x, partner, share, generator):
        h, w = x.shape[2:]
        half = np.sqrt(1 - share) / 2
        row, column = generator.integers(h), generator.integers(w)
        top, bottom = max(int(row - h * half), 0), min(int(row + h * half), h)
        left, right = max(int(column - w * half), 0), min(int(column + w * half), w)
        nhwc = x.transpose(0, 2, 3, 1).copy()
        nhwc[:, top:bottom, left:right] = x[partner, :, top:bottom, left:right].transpose(0, 2, 3, 1)
        return nhwc.transpose(0, 3, 1, 2), 1 - (bottom - top) * (right - left) / (h * w)
