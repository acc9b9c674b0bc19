"""fastcnn.data: datasets, a vectorised loader and augmentation."""

from .array_dataset import ArrayDataset
from .cifar import cifar10, cifar100
from .color import ColorJitter
from .dataset import ImageDataset
from .digits import digits
from .fashion_mnist import fashion_mnist
from .idx import read_idx
from .image_folder import ImageFolder
from .loader import DataLoader
from .mapped import MappedDataset
from .mixing import CutMix, MixUp
from .mnist import mnist
from .rotation import RandomRotation
from .samplers import (
    BatchSampler,
    RandomSampler,
    Sampler,
    SequentialSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)
from .subset import ConcatDataset, Subset, random_split
from .transforms import Compose, Cutout, Normalize, RandomCrop, RandomHorizontalFlip, RandomShift, RandomVerticalFlip

__all__ = [
    "ArrayDataset",
    "BatchSampler",
    "ColorJitter",
    "Compose",
    "ConcatDataset",
    "CutMix",
    "Cutout",
    "DataLoader",
    "ImageDataset",
    "ImageFolder",
    "MappedDataset",
    "MixUp",
    "Normalize",
    "RandomCrop",
    "RandomHorizontalFlip",
    "RandomRotation",
    "RandomSampler",
    "RandomShift",
    "RandomVerticalFlip",
    "Sampler",
    "SequentialSampler",
    "Subset",
    "SubsetRandomSampler",
    "WeightedRandomSampler",
    "cifar10",
    "cifar100",
    "digits",
    "fashion_mnist",
    "mnist",
    "random_split",
    "read_idx",
]
