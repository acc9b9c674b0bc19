"""tests.test_public: what `import fastcnn` brings, and what it does not."""

from __future__ import annotations

import importlib
import subprocess
import sys

import numpy as np
import pytest

import fastcnn as fc
from fastcnn.errors import ArgumentError


def in_new_process(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60).stdout.strip()


def test_every_public_name_exists():
    assert all(hasattr(fc, name) for name in fc.__all__)
    assert set(fc.__all__) <= set(dir(fc))


@pytest.mark.parametrize("room", ["autograd", "data", "nn", "optim", "optim.lr_scheduler", "optim.schedule", "train"])
def test_every_name_of_a_room_exists_and_says_what_it_is(room):
    module = importlib.import_module(f"fastcnn.{room}")
    assert sorted(set(module.__all__)) == sorted(module.__all__)
    for name in module.__all__:
        assert getattr(module, name).__doc__ or isinstance(getattr(module, name), tuple), name


def test_names_of_pytorch_for_gradients_and_averages():
    assert {"clip_grad_norm_", "clip_grad_value_", "get_total_norm"} <= set(vars(fc.nn.utils))
    assert {"AveragedModel", "get_ema_multi_avg_fn", "get_swa_multi_avg_fn", "update_bn"} <= set(fc.train.__all__)


@pytest.mark.parametrize("module", ["nn.functional", "nn.init", "nn.utils", "optim.lr_scheduler"])
def test_modules_with_names_of_pytorch_can_be_imported(module):
    code = f"import fastcnn.{module}; print(fastcnn.{module}.__name__)"
    assert in_new_process(code) == f"fastcnn.{module}"


def test_unknown_names():
    with pytest.raises(AttributeError, match="module 'fastcnn' has no attribute 'nothing'"):
        fc.nothing  # noqa: B018


def test_rooms_are_imported_at_their_first_use():
    code = (
        "import sys, fastcnn as fc; early = 'fastcnn.data' in sys.modules; fc.data; print(early, 'fastcnn.data' in sys.modules)"
    )
    assert in_new_process(code) == "False True"


def test_import_brings_no_other_package_than_numpy():
    code = (
        "import sys, numpy, numpy.random; before = set(sys.modules); import fastcnn; "
        "print(*sorted({name.split('.')[0] for name in set(sys.modules) - before} - set(sys.stdlib_module_names)))"
    )
    brought = [name for name in in_new_process(code).split() if not name.startswith("_cython_")]  # Cython's shared types
    assert brought == ["fastcnn"]


def test_import_is_fast():
    code = "import time; t = time.process_time(); import fastcnn; print(time.process_time() - t)"
    # 0.3 s with NumPy, in seconds of this process, because others run beside the tests
    assert min(float(in_new_process(code)) for _ in range(3)) < 0.3


def test_seed_and_generator_state():
    fc.manual_seed(1)
    state = fc.rng.get_state()
    a = fc.rng.generator().random(3)
    fc.rng.set_state(state)
    assert np.array_equal(a, fc.rng.generator().random(3))
    fc.manual_seed(1)
    assert np.array_equal(a, fc.rng.generator().random(3))


@pytest.mark.parametrize("seed", [-1, 1.5, "a", None, True])
def test_bad_seed(seed):
    with pytest.raises(ArgumentError, match=r"^manual_seed: seed must be an int of at least 0"):
        fc.manual_seed(seed)


@pytest.mark.parametrize("state", [{}, {"bit_generator": "MT19937"}, None, {"bit_generator": "PCG64", "state": {}}])
def test_bad_generator_state(state):
    with pytest.raises(ArgumentError, match=r"^rng.set_state: not a state of PCG64"):
        fc.rng.set_state(state)


def test_tensor_ops_at_the_top():
    x = fc.tensor([[1.0, 2.0]])
    assert fc.concat([x, x], 1).shape == (1, 4) and fc.flatten(x).shape == (2,) and fc.relu(-x).sum().item() == 0
