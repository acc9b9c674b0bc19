"""fastcnn.optim: UPDATES. Optimizers and schedules, with PyTorch's names and results."""

from . import lr_scheduler, schedule
from .adagrad import Adagrad
from .adam import Adam, AdamW
from .batch_size import BatchGrowth, BatchSchedule
from .layerwise import LAMB, LARS
from .nadam import NAdam
from .noise_scale import NoiseScale
from .optimizer import Optimizer
from .range_test import RangeTest, lr_range_test
from .rmsprop import RMSprop
from .scheduler import Scheduler
from .sequence import Schedule
from .sgd import SGD

__all__ = [
    "LAMB",
    "LARS",
    "SGD",
    "Adagrad",
    "Adam",
    "AdamW",
    "BatchGrowth",
    "BatchSchedule",
    "NAdam",
    "NoiseScale",
    "Optimizer",
    "RMSprop",
    "RangeTest",
    "Schedule",
    "Scheduler",
    "lr_range_test",
    "lr_scheduler",
    "schedule",
]
