"""bench.peers: the same work in other libraries, for timing in the same rounds as ours."""

from __future__ import annotations

import importlib
import importlib.metadata
from types import ModuleType

from fastcnn import threads

PACKAGES = ("torch", "onnxruntime", "openvino")


def available(package: str) -> bool:
    """Whether a peer can be imported."""
    try:
        importlib.import_module(package)
    except ImportError:
        return False
    return True


def require() -> None:
    """Set PyTorch to our number of threads; raise ImportError when it is absent, for then there is nothing to compare."""
    import torch

    torch.set_num_threads(threads.get_num_threads())


def load(name: str) -> ModuleType:
    """Return an adapter of this folder; PyTorch is imported only when one is asked for."""
    return importlib.import_module(f"{__name__}.{name}")


def versions() -> dict[str, str]:
    """Return the versions of the peers that are installed."""
    return {name: importlib.metadata.version(name) for name in PACKAGES if available(name)}
