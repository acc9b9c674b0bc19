"""fastcnn.cli: the command `fastcnn`."""

from .main import main

__all__ = ["main"]
