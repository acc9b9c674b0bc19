from numpy import ndarray

def cross_entropy_forward(
    logits, target, label_smoothing: float = 0.0, *, ignore_index: int = -100, reduction: str = "none", threads: int = 1
) -> tuple[ndarray, ndarray]: ...
def cross_entropy_backward(
    dloss, probs, target, label_smoothing: float = 0.0, *, ignore_index: int = -100, reduction: str = "none", threads: int = 1
) -> ndarray: ...
