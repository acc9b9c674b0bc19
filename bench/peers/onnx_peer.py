"""bench.peers.onnx_peer: ONNX Runtime and OpenVINO, inference of PyTorch's twin of a model."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable

import numpy as np

from fastcnn import nn, threads

from . import available
from .torch_peer import twin


def exported(model: nn.Module, x: np.ndarray) -> bytes:
    """Return the ONNX file of a model for inputs of the shape of `x`."""
    import torch

    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter announces its successor, which needs more packages
        torch.onnx.export(
            twin(model).eval(), (torch.tensor(np.ascontiguousarray(x)),), file, input_names=["x"], opset_version=17, dynamo=False
        )
    return file.getvalue()


def onnxruntime(file: bytes, x: np.ndarray) -> Callable[[], np.ndarray]:
    """Return a call of ONNX Runtime on our number of threads, which stop spinning when the call is over."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads.get_num_threads(), 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.force_spinning_stop", "1")  # or they would slow the function that runs next
    session = ort.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    feed = {"x": np.ascontiguousarray(x)}
    return lambda: session.run(None, feed)[0]


def openvino(file: bytes, x: np.ndarray) -> Callable[[], np.ndarray]:
    """Return a call of OpenVINO in float32, tuned for latency, on our number of threads."""
    import openvino as ov

    options = {
        "INFERENCE_NUM_THREADS": threads.get_num_threads(),
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32",
    }
    core = ov.Core()
    request = core.compile_model(core.read_model(file), "CPU", options).create_infer_request()
    feed = {0: np.ascontiguousarray(x)}
    return lambda: request.infer(feed)[0]


def inference(model: nn.Module, x: np.ndarray) -> dict[str, Callable[[], np.ndarray]]:
    """Return one call for each runtime that is installed."""
    runtimes = {"onnxruntime": ("ONNX Runtime", onnxruntime), "openvino": ("OpenVINO", openvino)}
    present = {name: make for package, (name, make) in runtimes.items() if available(package)}
    file = exported(model, x) if present else b""
    return {name: make(file, x) for name, make in present.items()}
