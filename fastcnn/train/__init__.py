"""fastcnn.train: the training loop, evaluation, metrics, checkpoints."""

from .averaging import EMA
from .callback import Callback
from .checkpoint import load_checkpoint, save_checkpoint
from .curves import LearningCurve
from .evaluate import Evaluation, evaluate
from .fit import fit
from .history import Epoch, History
from .logs import CSVLog, JSONLinesLog, TensorBoardLog
from .metrics import Accuracy, ConfusionMatrix, Loss, Metric, TopK
from .monitor import BestModel, Checkpoint, EarlyStop
from .trainer import Trainer

__all__ = [
    "EMA",
    "Accuracy",
    "BestModel",
    "CSVLog",
    "Callback",
    "Checkpoint",
    "ConfusionMatrix",
    "EarlyStop",
    "Epoch",
    "Evaluation",
    "History",
    "JSONLinesLog",
    "LearningCurve",
    "Loss",
    "Metric",
    "TensorBoardLog",
    "TopK",
    "Trainer",
    "evaluate",
    "fit",
    "load_checkpoint",
    "save_checkpoint",
]
