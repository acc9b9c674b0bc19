"""fastcnn.sklearn: convolutional networks as estimators of scikit-learn (extra `sklearn`)."""

from ..errors import MissingExtraError

try:
    import sklearn as _sklearn  # noqa: F401
except ImportError:
    raise MissingExtraError(
        "fastcnn.sklearn needs scikit-learn, from the extra 'sklearn': pip install 'fastcnn[sklearn]'"
    ) from None

from .classifier import CNNClassifier
from .net import small_net

__all__ = ["CNNClassifier", "small_net"]
