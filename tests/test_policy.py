"""tests.test_policy: algorithms per block, measured choices, their file, the warning before the definition runs."""

from __future__ import annotations

import json
import threading
import warnings

import numpy as np
import pytest

import fastcnn as fc
from fastcnn import kernels, plan_cache, policy
from fastcnn.errors import ArgumentError, PerformanceWarning
from fastcnn.kernels import select, table
from fastcnn.shapes import conv2d_case

CASE = conv2d_case((1, 16, 16, 16), (16, 16, 3, 3), 1, 1)  # near enough for a measurement, and large enough
OP = "conv2d_forward"


def drawn(case, dtype="float32"):
    rng = np.random.default_rng(0)
    return rng.standard_normal(case.x_shape).astype(dtype), rng.standard_normal(case.w_shape).astype(dtype), None, case


ARGS = drawn(CASE)


@pytest.fixture(autouse=True)
def estimate():
    fc.set_plan_mode("estimate", cache=False)
    policy.clear_plans()
    yield
    fc.set_plan_mode("estimate", cache=False)
    policy.clear_plans()


@pytest.fixture
def timings(monkeypatch):
    """Replace the clock by a table: the algorithm that the test names is the faster one; count the measurements."""
    calls = []

    def faster(first, second, args, clock=None):
        calls.append((first.name, second.name))
        return second

    monkeypatch.setattr(policy, "faster", faster)
    return calls


def near(monkeypatch, gain=1.2):
    for module in (select, table):
        monkeypatch.setattr(module, "winograd_gain", lambda case, op: gain)
    monkeypatch.setattr(select, "_known", {})


def test_the_default_is_the_estimate():
    assert fc.plan_mode() == "estimate" and policy.plan_file() is None


def test_measured_once_for_each_key(timings, monkeypatch):
    near(monkeypatch)
    fc.set_plan_mode("measure", cache=False)
    chosen = {select.choose(OP, ARGS).name for _ in range(3)}
    assert timings == [("winograd", "direct")] and chosen == {"direct"}
    fc.set_num_threads(1 if fc.get_num_threads() > 1 else 2)
    select.choose(OP, ARGS)
    with fc.cpu.use_isa(fc.cpu.available()[0]):
        select.choose(OP, ARGS)
    select.choose(OP, drawn(CASE, "float64"))
    assert len(timings) == (4 if fc.cpu.isa() != fc.cpu.available()[0] else 3)
    fc.set_plan_mode("estimate")
    assert select.choose(OP, ARGS).name == "winograd"


@pytest.mark.parametrize("gain", [1.7, 0.5])
def test_a_sure_estimate_is_believed(gain, timings, monkeypatch):
    near(monkeypatch, gain)
    fc.set_plan_mode("measure", cache=False)
    assert select.choose(OP, ARGS).name == ("winograd" if gain > 1 else "direct") and timings == []


def test_small_and_huge_work_is_not_timed(timings, monkeypatch):
    near(monkeypatch)
    fc.set_plan_mode("measure", cache=False)
    select.choose(OP, drawn(conv2d_case((1, 2, 5, 5), (3, 2, 3, 3), 1, 1)))
    monkeypatch.setattr(policy, "MOST_MACS", 10)
    select.choose(OP, ARGS)
    assert timings == []


def test_faster_takes_the_smaller_median():
    now = [0.0]

    def made(name, seconds):
        def run(*args):
            now[0] += seconds.pop(0) if seconds else 1.0

        return select.Impl(name, run)

    steady, noisy = made("steady", [2.0] * 20), made("noisy", [1.0, 1.0, 9.0, 1.0, 9.0, 1.0])
    assert policy.faster(steady, noisy, (), lambda: now[0]).name == "noisy"
    steady, slow = made("steady", [2.0] * 20), made("slow", [3.0] * 20)
    assert policy.faster(steady, slow, (), lambda: now[0]).name == "steady"


def test_every_choice_computes_the_same():
    fc.set_plan_mode("measure", cache=False)
    got, want = kernels.conv2d_forward(*ARGS), kernels.conv2d_forward(*ARGS, algorithm="reference")
    np.testing.assert_allclose(got, want, rtol=1e-3, atol=1e-3)


def test_the_file_is_written_and_read(tmp_path, timings, monkeypatch):
    near(monkeypatch)
    path = tmp_path / "deep" / "plans.json"
    fc.set_plan_mode("measure", cache=path)
    select.choose(OP, ARGS)
    (plans,) = json.loads(path.read_text())["plans"].values()
    assert list(plans.values()) == ["direct"] and len(timings) == 1
    policy.clear_plans()
    assert select.choose(OP, ARGS).name == "direct" and len(timings) == 1, "timed again in spite of the file"
    monkeypatch.setattr(plan_cache, "section", lambda isa: "another machine")
    policy.clear_plans()
    select.choose(OP, ARGS)
    assert len(timings) == 2 and len(json.loads(path.read_text())["plans"]) == 2
    assert [found.name for found in path.parent.iterdir()] == ["plans.json"]


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        '{"format": 9}',
        '{"format": 1}',
        '{"format": 1, "plans": [1]}',
        '{"format": 1, "plans": {"a": {"b": "c"}}}',
        '{"format": 1, "plans": {"a": {"x 1,2 f 2": 3}}}',
        "[" * 100_000,
        "\udcff",
    ],
)
def test_a_broken_file_is_ignored_with_a_warning(content, tmp_path, timings, monkeypatch):
    near(monkeypatch)
    path = tmp_path / "plans.json"
    path.write_bytes(content.encode(errors="surrogateescape"))
    fc.set_plan_mode("measure", cache=path)
    with pytest.warns(PerformanceWarning, match="plan cache .* is ignored"):
        assert select.choose(OP, ARGS).name == "direct"
    assert json.loads(path.read_text())["format"] == 1, "the broken file was not replaced"


def test_an_unknown_name_in_the_file_keeps_the_estimate(tmp_path, timings, monkeypatch):
    near(monkeypatch)
    path = tmp_path / "plans.json"
    key = (OP, tuple(CASE), "f", fc.get_num_threads(), fc.cpu.isa())
    plan_cache.store(path, key, "fft")
    fc.set_plan_mode("measure", cache=path)
    assert select.choose(OP, ARGS).name == "winograd" and timings == []


def test_a_folder_that_cannot_be_written_is_a_warning(tmp_path, timings, monkeypatch):
    near(monkeypatch)
    (tmp_path / "file").write_text("")
    fc.set_plan_mode("measure", cache=tmp_path / "file" / "plans.json")
    with pytest.warns(PerformanceWarning, match=r"plan cache .* (is ignored|cannot be written)") as found:
        select.choose(OP, ARGS)
    assert "cannot be written" in str(found[-1].message)


def test_paths_from_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    fc.set_plan_mode("measure", cache=True)
    assert policy.plan_file() == tmp_path / "fastcnn" / "plans.json"
    monkeypatch.setenv("FASTCNN_PLAN_CACHE", str(tmp_path / "mine.json"))
    fc.set_plan_mode("measure")
    assert policy.plan_file() == tmp_path / "mine.json" and fc.show_config("dict")["plan_cache"].endswith("mine.json")
    for value, raises in (("measure", False), ("fastest", True)):
        monkeypatch.setenv("FASTCNN_PLAN", value)
        if raises:
            with pytest.raises(ArgumentError, match="FASTCNN_PLAN must be"):
                policy._from_environment()
        else:
            policy._from_environment()
            assert fc.plan_mode() == value


def test_a_block_prefers_an_algorithm():
    with fc.use_algorithm("reference"):
        assert select.choose(OP, ARGS).name == "reference" and select.choose("gemm", (ARGS[0][0, 0],) * 2).name == "reference"
        with fc.use_algorithm("direct"):
            assert select.choose(OP, ARGS).name == "direct"
            assert select.choose(OP, ARGS, "winograd").name == "winograd", "a call comes first"
        assert select.choose(OP, ARGS).name == "reference"
    with fc.use_algorithm("depthwise"):
        assert select.choose(OP, ARGS).name == select.choose(OP, ARGS, "auto").name != "depthwise"
    assert policy.state.blocks == 0


def test_a_block_ends_with_an_error_and_stays_in_its_thread():
    with pytest.raises(KeyError), fc.use_algorithm("reference"):
        raise KeyError
    seen = []
    with fc.use_algorithm("reference"):
        other = threading.Thread(target=lambda: seen.append(select.choose(OP, ARGS).name))
        other.start()
        other.join()
    assert seen != ["reference"] and policy.state.blocks == 0


def test_a_block_holds_for_layers_and_backward(monkeypatch):
    ran = []
    table = {
        op: tuple(impl._replace(function=lambda *a, f=impl, **k: (ran.append(f.name), f.function(*a, **k))[1]) for impl in impls)
        for op, impls in select.OPS.items()
        if op in select.CONVOLUTIONS
    }
    monkeypatch.setattr(select, "OPS", select.OPS | table)
    x = fc.tensor(ARGS[0], requires_grad=True)
    layer = fc.nn.Conv2d(16, 16, 3, padding=1)
    with fc.use_algorithm("direct"):
        layer(x).sum().backward()
    assert ran == ["direct"] * 3


@pytest.mark.parametrize("call", [lambda: fc.set_plan_mode("guess"), lambda: fc.use_algorithm("fft").__enter__()])
def test_unknown_names(call):
    with pytest.raises(ArgumentError, match=r"must be .*, got '(guess|fft)'"):
        call()


def test_one_warning_for_each_shape(monkeypatch):
    monkeypatch.setattr(policy, "_warned", set())
    monkeypatch.setattr(select, "_known", {})
    whole = conv2d_case((1, 2, 5, 5), (3, 2, 3, 3))
    x, w, b, case = drawn(whole, "int64")
    with pytest.warns(PerformanceWarning, match=r"conv2d_forward: no fast implementation takes \(1, 2, 5, 5\) int64"):
        kernels.conv2d_forward(x, w, b, case)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        kernels.conv2d_forward(x, w, b, conv2d_case((1, 2, 5, 5), (3, 2, 3, 3)))
        kernels.conv2d_forward(x, w, b, case, algorithm="reference")
        kernels.relu_forward(np.arange(3))
