"""prune.filters: score, allocation and removal put together."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ..errors import ArgumentError
from ..graph import trace
from .allocate import uniform
from .chain import WEIGHTED, chain
from .mask import arrays_of
from .score import SCORES, Score, strongest
from .shrink import shrink


def plan(
    model,
    example,
    fraction: float = 0.5,
    *,
    score: str | Score = "l1",
    multiple: int = 1,
    kinds: Iterable[str] = WEIGHTED,
    skip: Iterable[str] = (),
) -> dict[str, np.ndarray]:
    """Return which filters each layer keeps when the weakest `fraction` of them goes.

    Parameters
    ----------
    model : Module
        A chain net.
    example : Tensor or array
        One input, see `graph.trace`.
    fraction : float
        Share of the filters of each layer, at least 0 and below 1.
    score : {"l1", "l2", "batch_norm"} or callable
        How filters are ranked, see `prune.score`.
    multiple : int
        Widths are rounded to a multiple of this.
    kinds : iterable of {"conv2d", "linear"}
        Layers to prune; a hidden unit of a linear layer counts as a filter. The last layer, which gives the result, is
        never pruned.
    skip : iterable of str
        Names of layers that stay whole.

    Raises
    ------
    ArgumentError
        When the net is not a chain, or an option has no meaning for it.
    """
    if isinstance(score, str) and score not in SCORES:
        raise ArgumentError(f"prune: score must be one of {', '.join(SCORES)} or a function, got {score!r}")
    ranking = SCORES[score] if isinstance(score, str) else score
    kinds, skip = set(kinds), set(skip)
    layers = chain(trace(model, example))
    unknown = (kinds - set(WEIGHTED)) | (skip - {layer.name for layer in layers})
    if unknown:
        raise ArgumentError(f"prune: unknown kinds or layers to skip: {', '.join(sorted(unknown))}")
    chosen = [layer for layer in layers[:-1] if layer.op.op in kinds and layer.name not in skip]
    counts = uniform({layer.name: layer.width for layer in chosen}, fraction, multiple)
    arrays = arrays_of(model)
    return {layer.name: strongest(ranking(layer, arrays), counts[layer.name]) for layer in chosen}


def filters(model, example, fraction: float = 0.5, **options):
    """Return a smaller copy of `model` without the weakest `fraction` of each layer's filters.

    The options are those of `plan`; the model itself is not changed. Accuracy usually wants some epochs of fine-tuning
    afterwards.

    Examples
    --------
    >>> import numpy as np
    >>> from fastcnn import nn, prune
    >>> model = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 36, 10))
    >>> small = prune.filters(model, np.zeros((1, 1, 8, 8), "f4"), 0.5)
    >>> [parameter.shape for parameter in small.parameters()]
    [(4, 1, 3, 3), (4,), (10, 144), (10,)]
    """
    return shrink(model, example, plan(model, example, fraction, **options))
