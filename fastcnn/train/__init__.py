"""fastcnn.train: the training loop, evaluation and their history."""

from .checkpoint import load_checkpoint, save_checkpoint
from .evaluate import Evaluation, evaluate
from .fit import fit
from .history import Epoch, History

__all__ = ["Epoch", "Evaluation", "History", "evaluate", "fit", "load_checkpoint", "save_checkpoint"]
