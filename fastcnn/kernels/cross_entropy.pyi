import numpy as np

def cross_entropy_forward(
    logits: np.ndarray, target: np.ndarray, label_smoothing: float = 0.0, *, threads: int = 1
) -> tuple[np.ndarray, np.ndarray]: ...
def cross_entropy_backward(
    dloss: np.ndarray, probs: np.ndarray, target: np.ndarray, label_smoothing: float = 0.0, *, threads: int = 1
) -> np.ndarray: ...
