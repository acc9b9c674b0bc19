import numpy as np

def layer_norm_forward(
    x: np.ndarray, weight: np.ndarray | None, bias: np.ndarray | None, eps: float, groups: int = 1, *, threads: int = 1
) -> tuple[np.ndarray, np.ndarray, np.ndarray]: ...
def layer_norm_backward(
    dy: np.ndarray,
    x: np.ndarray,
    weight: np.ndarray | None,
    mean: np.ndarray,
    rstd: np.ndarray,
    groups: int = 1,
    *,
    threads: int = 1,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]: ...
