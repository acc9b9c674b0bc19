"""prune.allocate: how many filters each layer keeps."""

from __future__ import annotations

from collections.abc import Mapping

from ..errors import ArgumentError


def uniform(widths: Mapping[str, int], fraction: float, multiple: int = 1) -> dict[str, int]:
    """Return, per layer, the number of filters to keep when the same `fraction` of each is removed.

    Parameters
    ----------
    widths : mapping of layer name to number of filters
    fraction : float
        Share to remove, at least 0 and below 1.
    multiple : int
        Widths are rounded to the nearest multiple of this (upwards at half), at least one multiple, at most the old width.
        Kernels work on blocks of channels, so that 31 filters are no faster than 32.
    """
    if not 0 <= fraction < 1:
        raise ArgumentError(f"prune: fraction must be at least 0 and below 1, got {fraction!r}")
    if not isinstance(multiple, int) or multiple < 1:
        raise ArgumentError(f"prune: multiple must be an int of at least 1, got {multiple!r}")
    # 1e-9: 10 * (1 - 0.7) is 3.0000000000000004
    return {
        name: min(width, max(1, int(width * (1 - fraction) / multiple + 0.5 + 1e-9)) * multiple) for name, width in widths.items()
    }
