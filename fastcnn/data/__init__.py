"""fastcnn.data: datasets, a vectorised loader and augmentation."""

from .array_dataset import ArrayDataset, Subset, random_split
from .digits import digits
from .fashion_mnist import fashion_mnist
from .idx import read_idx
from .loader import DataLoader
from .transforms import Cutout, Normalize, RandomCrop, RandomHorizontalFlip

__all__ = [
    "ArrayDataset",
    "Cutout",
    "DataLoader",
    "Normalize",
    "RandomCrop",
    "RandomHorizontalFlip",
    "Subset",
    "digits",
    "fashion_mnist",
    "random_split",
    "read_idx",
]
