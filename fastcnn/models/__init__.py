"""fastcnn.models: NETS. Published networks under torchvision's parameter names."""

from .lenet import LeNet5, lenet5
from .mobilenet import MobileNetV2, mobilenet_v2
from .resnet import ResNet, resnet18, resnet20, resnet50
from .vgg import VGG, vgg16, vgg16_cifar, vgg_small

__all__ = [
    "VGG",
    "LeNet5",
    "MobileNetV2",
    "ResNet",
    "lenet5",
    "mobilenet_v2",
    "resnet18",
    "resnet20",
    "resnet50",
    "vgg16",
    "vgg16_cifar",
    "vgg_small",
]
