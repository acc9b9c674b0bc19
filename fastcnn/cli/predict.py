"""cli.predict: `fastcnn predict`: classify image files with a saved model."""

from __future__ import annotations

import json

import numpy as np

from ..errors import ArgumentError, FileFormatError, MissingExtraError


def add(subparsers):
    """Describe the command."""
    parser = subparsers.add_parser("predict", help="classify image files with a model saved by `fastcnn train`")
    parser.add_argument("model", help="safetensors file")
    parser.add_argument("images", nargs="+", metavar="image", help="image file of any kind that Pillow reads")
    parser.add_argument("--invert", action="store_true", help="swap black and white: the datasets have white figures on black")
    parser.add_argument("--top", type=int, default=3, metavar="N", help="classes to print (default: %(default)s)")
    return parser


def run(args) -> None:
    """Print the most probable classes of each image."""
    from .. import Tensor, io, no_grad
    from ..nn import Module
    from ..nn import functional as F

    model = io.load(args.model)
    if not isinstance(model, Module):
        raise ArgumentError(f"{args.model} holds a state dictionary without the model's structure")
    described = read_input(io.load_metadata(args.model), args.model)
    x = np.stack([read_image(path, described, args.invert) for path in args.images])
    with no_grad():
        logits = model(Tensor(described.normalize(x)))
        if logits.shape[1] != len(described.classes):
            raise FileFormatError(f"{args.model} names {len(described.classes)} classes, its model gives {logits.shape[1]}")
        probabilities = F.softmax(logits, 1).numpy()
    for path, row in zip(args.images, probabilities, strict=True):
        best = np.argsort(-row, kind="stable")[: max(args.top, 1)]
        print(f"{path}: " + ", ".join(f"{described.classes[i]} {row[i]:.1%}" for i in best))


class Input:
    """What a model expects: (channels, height, width), the normalisation, the names of its classes."""

    def __init__(self, content: dict):
        from ..data import Normalize

        self.shape = tuple(int(content[key]) for key in ("channels", "height", "width"))
        if self.shape[0] not in (1, 3) or not all(1 <= size <= 4096 for size in self.shape[1:]):
            raise ValueError(f"images of shape {self.shape}")
        self.normalize = Normalize(content["mean"], content["std"])
        self.classes = [str(name) for name in content["classes"]]


def read_input(metadata: dict[str, str], where: str) -> Input:
    """Return what the metadata of a model file says about its input."""
    if "input" not in metadata:
        raise FileFormatError(f"{where} does not say how its images are made; `fastcnn train` writes that")
    try:
        return Input(json.loads(metadata["input"]))
    except (KeyError, TypeError, ValueError, RecursionError, OverflowError) as error:
        raise FileFormatError(f"{where} has a damaged description of its images ({error})") from None


def read_image(path: str, described: Input, invert: bool) -> np.ndarray:
    """Return an image file as float32 (channels, height, width) in [0, 1], resized."""
    try:
        from PIL import Image, UnidentifiedImageError
    except ImportError:
        raise MissingExtraError("predict needs Pillow, from the extra 'data': pip install 'fastcnn[data]'") from None
    channels, height, width = described.shape
    try:
        with Image.open(path) as opened:
            image = opened.convert("L" if channels == 1 else "RGB").resize((width, height), Image.Resampling.BILINEAR)
    except (UnidentifiedImageError, Image.DecompressionBombError, SyntaxError, ValueError) as error:
        raise FileFormatError(f"{path} is not an image that Pillow reads ({error})") from None
    pixels = np.asarray(image, np.float32).reshape(height, width, channels).transpose(2, 0, 1) / np.float32(255)
    return 1 - pixels if invert else pixels
