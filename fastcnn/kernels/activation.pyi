import numpy as np

KINDS: dict[str, int]

def activation_forward(x: np.ndarray, kind: str, p: float = 0, q: float = 0, *, threads: int = 1) -> np.ndarray: ...
def activation_backward(
    dy: np.ndarray, x: np.ndarray, kind: str, p: float = 0, q: float = 0, *, threads: int = 1
) -> np.ndarray: ...
