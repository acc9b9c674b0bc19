"""data.windows: transforms that only move pixels, drawn for many images at once and done in the pass that makes the batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from .transforms import Window

DRAWN = 2048  # images whose windows are drawn at once: their draws cost a few hundred times less than one by one


def leading_windows(transforms: Sequence[Callable]) -> int:
    """Return how many transforms at the start only move pixels and put the same value beside the image."""
    fill = None
    for count, transform in enumerate(transforms):
        if not isinstance(transform, Window) or type(transform).__call__ is not Window.__call__:
            return count
        other = fill is not None and transform.fill is not None and not np.array_equal(fill, transform.fill)
        if other or transform.padding_mode != "constant":
            return count
        fill = transform.fill if fill is None else fill
    return len(transforms)


class Windows:
    """The windows of an epoch, one after the other for each image.

    Parameters
    ----------
    transforms : sequence of Window
        Those that `leading_windows` counts.
    shape : (C, H, W)
        Of one image.
    seed, epoch : int

    Attributes
    ----------
    sizes : ndarray (stages, 2)
        Heights and widths.
    fill : number, or one per channel

    Notes
    -----
    The windows of an image are a function of (seed, epoch, its position in the epoch); the size of the batch is none of it.
    """

    def __init__(self, transforms: Sequence[Callable], shape: tuple[int, int, int], seed: int, epoch: int):
        self._transforms: list[Window] = [t for t in transforms if isinstance(t, Window)]
        self._seed = (seed, epoch)
        sizes = [shape[1:]]
        for transform in self._transforms:
            sizes.append(transform.output_size(*sizes[-1]))
        self._inputs, self.sizes = sizes[:-1], np.array(sizes[1:], np.int64).reshape(-1, 2)
        self.fill = next((t.fill for t in self._transforms if t.fill is not None), 0.0)
        self._block, self._drawn = -1, np.empty((0, 0, 4), np.int64)

    def at(self, position: int, count: int) -> np.ndarray:
        """Return the windows (stages, count, 4) of the images from `position` on."""
        pieces, stop = [], position + count
        while position < stop:
            block, first = divmod(position, DRAWN)
            if block != self._block:
                self._block, self._drawn = block, self._draw(block)
            last = min(first + stop - position, DRAWN)
            pieces.append(self._drawn[:, first:last])
            position += last - first
        return pieces[0] if len(pieces) == 1 else np.concatenate([self._drawn[:, :0], *pieces], axis=1)

    def _draw(self, block: int) -> np.ndarray:
        # The third number is that of no batch, see the loader.
        generator = np.random.default_rng([*self._seed, 0, block + 1])
        drawn = [t.windows(DRAWN, *size, generator) for t, size in zip(self._transforms, self._inputs, strict=True)]
        return np.array(drawn, np.int64).reshape(len(drawn), DRAWN, 4)
