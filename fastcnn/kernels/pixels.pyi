import numpy as np
from numpy.typing import ArrayLike, DTypeLike

class Scale:
    channels: int
    period: int
    dtype: np.dtype
    def __init__(self, scale: ArrayLike, shift: ArrayLike, channels: int, dtype: DTypeLike) -> None: ...

def gather_pixels(
    x: np.ndarray,
    index: ArrayLike | None = None,
    windows: ArrayLike = (),
    sizes: ArrayLike = (),
    fill: ArrayLike = 0,
    scale: Scale | None = None,
    *,
    threads: int = 1,
) -> np.ndarray: ...
def scale_channels(x: np.ndarray, scale: ArrayLike, shift: ArrayLike, *, threads: int = 1) -> np.ndarray: ...
def map_pixels(x: np.ndarray, rows: np.ndarray, columns: np.ndarray, fill: ArrayLike = 0) -> np.ndarray: ...
def fill_boxes(x: np.ndarray, boxes: np.ndarray, fill: ArrayLike = 0) -> np.ndarray: ...
