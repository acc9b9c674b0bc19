"""tests.bench.test_gates: each gate takes its rows and no others, and says met or missed."""

from __future__ import annotations

import pytest

from bench import bench_train, gates, layers
from bench.figures import Row

LIMITS = {"peak": 100.0, "bandwidth": 10.0}


def complete(ratio: float = 2.5, share: float = 0.9) -> list[Row]:
    """A run of all networks in which every layer has the same ratio and share."""
    rows = [Row("GEMM", "cube-512 (512 x 512 x 512)", 1.0, flops=share * 100e9, peers={"PyTorch": ratio}, **LIMITS)]
    for network in layers.networks():
        for layer in layers.load(network):
            for direction in gates.DIRECTIONS:
                for batch in (1, 16):
                    rows.append(
                        Row(
                            f"Convolution, {direction}, {network}, batch {batch}",
                            layer.name,
                            1.0,
                            algorithm="direct",
                            flops=share * 100e9,
                            network=network,
                            direction=direction,
                            batch=batch,
                            peers={"PyTorch NCHW": ratio, "PyTorch channels-last": 2 * ratio},
                            **LIMITS,
                        )
                    )
    rows += [Row("Training step", name, 1.0, peers={"PyTorch NCHW": ratio}, **LIMITS) for name in gates.STEPS]
    return rows


def named(results, start: str) -> gates.Result:
    (found,) = (result for result in results if result.name.startswith(start))
    return found


def test_a_complete_run_has_every_row():
    results = gates.results(complete())
    assert [result.name for result in results if result.rows != result.expected] == [results[-1].name]
    assert all(result.value == pytest.approx(0.9 if "peak" in result.against else 2.5) for result in results[:-1])
    verdicts = {result.name: result.verdict for result in results}
    assert verdicts["GEMM 512^3"] == "met" and verdicts["training step, LeNet-5, batch 64"] == "missed"
    assert verdicts["training step, ResNet-50, batch 8"] == "aim met"


def test_one_slow_layer_shows_in_the_worst_and_only_there():
    rows = complete()
    slow = next(row for row in rows if row.network == "mobilenet_v2" and row.batch == 16 and row.row.startswith("dw"))
    slow.peers = {"PyTorch NCHW": 0.7}
    results = gates.results(rows)
    worst = [result for result in results if result.name.startswith("every other layer") and "worst" in result.name]
    assert worst[0].value == 0.7 and worst[0].verdict == "missed"
    assert named(results, "3x3 stride-1 layers of ResNet-18 and VGG-16, b16, forward").value == pytest.approx(2.5)


def test_other_batches_networks_and_strides_do_not_count():
    rows = complete()
    for row in rows:
        if row.batch == 1 or row.network in ("lenet5",) or row.row.startswith("conv3x3s2"):
            row.peers, row.flops = {"PyTorch NCHW": 1e-3}, 1e3
    results = gates.results(rows)
    for direction in ("forward", "backward data", "backward weight"):
        assert named(results, f"3x3 stride-1 layers of ResNet-18 and VGG-16, b16, {direction}").value == pytest.approx(2.5)
    assert named(results, "1x1 and direct 3x3 layers of ResNet-18 and -50, forward, b16, worst").value == pytest.approx(1e-8)


def test_the_share_of_peak_is_that_of_direct():
    rows = complete()
    for row in rows:
        if gates.winograd_layer(row.row):
            row.algorithm, row.candidates = "winograd", {"direct": row.seconds}
            row.seconds = 0.3
    result = named(gates.results(rows), "1x1 and direct 3x3 layers of ResNet-18 and -50, forward, b16, geometric mean")
    assert result.value == pytest.approx(0.9) and result.rows == result.expected


def test_without_rows_nothing_is_said():
    assert {result.verdict for result in gates.results([])} == {"not run"}


def test_the_gate_on_fashion_mnist():
    assert gates.fashion(None).verdict == "not run"
    assert [gates.fashion({"speedup": value}).verdict for value in (2.9, 3.0, 4.0)] == ["missed", "met", "aim met"]


def test_the_gate_on_fashion_mnist_when_a_seed_misses():
    ours, theirs = {"accuracy": 0.9335, "seconds": 50.0, "reached": 2}, {"accuracy": 0.9339, "seconds": 100.0, "reached": 1}
    record = {"speedup": None, "seeds": 3, "table": {"fastcnn": ours, "PyTorch": theirs}}
    assert gates.fashion(record).value == 2.0 and "2 and 1 of 3 seeds, means 93.35% and 93.39%" in gates.fashion(record).name
    ours["accuracy"] = 0.9329
    assert gates.fashion(record).value == 0.0


def test_every_gated_step_is_timed():
    assert set(gates.STEPS) <= {f"{name}, batch {step.batch}" for name, step in bench_train.STEPS.items()}
