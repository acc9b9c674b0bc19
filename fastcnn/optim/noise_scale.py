"""optim.noise_scale: how noisy the gradient of a batch is, measured from gradients of two sizes. Papers: [McCandlish2018]."""

from __future__ import annotations

import math

from ..errors import ArgumentError, StateError
from .sequence import finite


class NoiseScale:
    """The gradient noise scale: the batch size at which noise and gradient are about equal. [McCandlish2018]

    With |G_b|^2 of a small batch of b images and |G_B|^2 of a large one of B, without bias

        |G|^2 = (B |G_B|^2 - b |G_b|^2) / (B - b),    S = (|G_b|^2 - |G_B|^2) / (1/b - 1/B),

    both averaged over the updates; the scale is S / |G|^2. A batch far below it could be larger at little cost in images, one
    far above it wastes them. A `Trainer` with accumulated batches measures it, see `BatchGrowth`; the small batch is the first
    one of an update, the large one all of them.

    Parameters
    ----------
    decay : float, 0 .. 1
        Share of the past in the averages.

    Attributes
    ----------
    value : float
        The scale in images; NaN before the first update, inf while the noise hides the gradient.
    large : int
        Images of the last large batch.

    Examples
    --------
    >>> from fastcnn import optim
    >>> noise = optim.NoiseScale()
    >>> noise.update(small_norm=3.0, small=16, large_norm=2.0, large=64)  # norms of the two mean gradients
    >>> round(noise.value, 1)
    45.7
    """

    def __init__(self, decay: float = 0.95):
        self.decay = finite("NoiseScale", "decay", decay, 0.0, 1.0)
        if self.decay == 1.0:
            raise ArgumentError("NoiseScale: decay must be below 1, got 1")
        self.count = self.large = 0
        self.signal = self.noise = 0.0  # the averages of |G|^2 and S, before the correction for the start

    def update(self, small_norm: float, small: int, large_norm: float, large: int) -> None:
        """Take the norms of the mean gradients over `small` and over `large` images; those of the first are among the latter."""
        if not 0 < small < large:
            raise ArgumentError(f"NoiseScale: 0 < small < large is needed, got {small!r} and {large!r}")
        a, b = float(small_norm) ** 2, float(large_norm) ** 2
        if not math.isfinite(a + b):
            return
        self.signal = self.decay * self.signal + (1 - self.decay) * (large * b - small * a) / (large - small)
        self.noise = self.decay * self.noise + (1 - self.decay) * (a - b) / (1 / small - 1 / large)
        self.count, self.large = self.count + 1, int(large)

    @property
    def value(self) -> float:
        if not self.count:
            return math.nan
        if self.signal <= 0.0:
            return math.inf
        return max(self.noise, 0.0) / self.signal

    def state_dict(self) -> dict:
        """Return the averages."""
        return {key: getattr(self, key) for key in ("count", "large", "signal", "noise")}

    def load_state_dict(self, values: dict) -> None:
        """Restore what `state_dict` returned."""
        try:
            count, large = int(values["count"]), int(values["large"])
            signal, noise = float(values["signal"]), float(values["noise"])
        except (KeyError, TypeError, ValueError) as error:
            raise StateError(f"NoiseScale: not a state dict of a noise scale: {error!r}") from None
        self.count, self.large, self.signal, self.noise = count, large, signal, noise
