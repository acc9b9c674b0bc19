"""fastcnn.data: datasets, a vectorised loader and augmentation."""

from .array_dataset import ArrayDataset
from .cifar import cifar10, cifar100
from .dataset import ImageDataset
from .digits import digits
from .fashion_mnist import fashion_mnist
from .idx import read_idx
from .image_folder import ImageFolder
from .loader import DataLoader
from .mapped import MappedDataset
from .mnist import mnist
from .subset import ConcatDataset, Subset, random_split
from .transforms import Cutout, Normalize, RandomCrop, RandomHorizontalFlip

__all__ = [
    "ArrayDataset",
    "ConcatDataset",
    "Cutout",
    "DataLoader",
    "ImageDataset",
    "ImageFolder",
    "MappedDataset",
    "Normalize",
    "RandomCrop",
    "RandomHorizontalFlip",
    "Subset",
    "cifar10",
    "cifar100",
    "digits",
    "fashion_mnist",
    "mnist",
    "random_split",
    "read_idx",
]
