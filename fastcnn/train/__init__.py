"""fastcnn.train: the training loop, evaluation, metrics, checkpoints."""

from .averaged_model import AveragedModel, get_ema_multi_avg_fn, get_swa_multi_avg_fn, update_bn
from .averaging import EMA, SWA
from .batch_size import BatchSizes, best_batch_size
from .callback import Callback
from .capture import Capture, CaptureReport, capture
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
    "SWA",
    "Accuracy",
    "AveragedModel",
    "BatchSizes",
    "BestModel",
    "CSVLog",
    "Callback",
    "Capture",
    "CaptureReport",
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
    "best_batch_size",
    "capture",
    "evaluate",
    "fit",
    "get_ema_multi_avg_fn",
    "get_swa_multi_avg_fn",
    "load_checkpoint",
    "save_checkpoint",
    "update_bn",
]
