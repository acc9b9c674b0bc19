"""fastcnn.io: files: models and state dictionaries as safetensors; never pickle."""

from .model_file import load, load_metadata, save

__all__ = ["load", "load_metadata", "save"]
