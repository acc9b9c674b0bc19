"""fastcnn.rng: the one generator behind initialisation and dropout, and its state."""

from __future__ import annotations

import numpy as np

from .errors import ArgumentError

_generator = np.random.default_rng()


def manual_seed(seed: int) -> np.random.Generator:
    """Restart the global generator at `seed` (0 or larger) and return it.

    Initialisation and dropout draw from it; data loaders have their own seed.
    """
    global _generator
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
        raise ArgumentError(f"manual_seed: seed must be an int of at least 0, got {seed!r}")
    _generator = np.random.default_rng(int(seed))
    return _generator


def generator() -> np.random.Generator:
    """Return the global generator. It is not safe to draw from it in two threads at once."""
    return _generator


def get_state() -> dict:
    """Return the generator's state as plain numbers and strings (ready for JSON)."""
    return dict(_generator.bit_generator.state)


def set_state(state: dict) -> None:
    """Put the global generator into a state that `get_state` returned."""
    try:
        _generator.bit_generator.state = state
    except (TypeError, ValueError, KeyError) as error:
        raise ArgumentError(f"rng.set_state: not a state of {_generator.bit_generator.__class__.__name__}: {error}") from None
