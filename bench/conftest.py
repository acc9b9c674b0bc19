"""bench.conftest: options, the machine's measured limits, and the fixture `versus` that times our function beside its peers."""

from __future__ import annotations

import os

# NumPy's pool waits by spinning for a while: after a check it would take turns with the threads that are timed.
os.environ["OPENBLAS_NUM_THREADS"] = "1"

import platform
import shlex
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from statistics import median

import numpy as np
import pytest

import fastcnn
from bench import peers
from bench.figures import Row
from bench.interleave import BLOCK, Rounds, calibrate, settle
from bench.limits import measure, others, wait_until_idle
from fastcnn import cpu, threads

# Timed seconds per function of one benchmark, and the rounds that they are spread over.
SECONDS, LEAST, MOST = 0.25, 5, 21
ABOUT = pytest.StashKey[dict]()


def pytest_addoption(parser):
    group = parser.getgroup("fastcnn benchmarks")
    group.addoption("--networks", default="lenet5,resnet18", help="comma-separated names of files in bench/shapes, or 'all'")
    group.addoption("--batches", default="16", help="comma-separated images per call of the convolutions")
    group.addoption("--peers", action="store_true", help="time PyTorch, ONNX Runtime and OpenVINO in the same rounds")
    group.addoption("--patience", type=float, default=0.0, help="seconds to wait before each benchmark until the CPUs are idle")
    group.addoption("--smoke", action="store_true", help="tiny shapes and one round: checks the benchmarks, measures nothing")


def pytest_configure(config):
    (Path(__file__).parent / "out").mkdir(exist_ok=True)
    if config.getoption("--peers"):
        peers.require()
    config.stash[ABOUT] = about(config)


def about(config) -> dict:
    """Return what the report says of the machine and the run; taken before the first benchmark."""
    return {
        "smoke": config.getoption("--smoke"),
        "command": shlex.join(["pytest", *sys.argv[1:]]),
        "isa": cpu.isa(),
        "isa_reason": cpu.reason(),
        "threads": threads.get_num_threads(),
        "threads_reason": threads.reason(),
        "others": others(),
        "versions": {
            "fastcnn": fastcnn.__version__,
            "python": platform.python_version(),
            "numpy": np.__version__,
            **(peers.versions() if config.getoption("--peers") else {}),
        },
    }


def pytest_benchmark_update_machine_info(config, machine_info):
    machine_info["fastcnn"] = config.stash[ABOUT]


@pytest.fixture(scope="session")
def smoke(request) -> bool:
    """Whether the shapes are to be tiny."""
    return request.config.getoption("--smoke")


@pytest.fixture(scope="session")
def with_peers(request) -> bool:
    """Whether peers are to be timed beside our functions."""
    return request.config.getoption("--peers")


@pytest.fixture(scope="session")
def limits(request) -> dict[str, float]:
    """The machine's limits on our threads: FMA peak [GFLOP/s] and memory bandwidth [GB/s]."""
    wait_until_idle(request.config.getoption("--patience"))
    return measure(threads.get_num_threads())


@pytest.fixture
def versus(benchmark, limits, smoke, request):
    """Return a function that times `ours` in turn with its `rivals` and our other `candidates`, and files the figures.

    `work` holds the operations of one call: `flops`, or `bytes` for what is bound by memory. Every other keyword
    becomes a column of the report.
    """

    def run(
        ours: Callable[[], object],
        rivals: dict[str, Callable[[], object]] | None = None,
        candidates: dict[str, Callable[[], object]] | None = None,
        *,
        work: dict,
        **columns,
    ) -> None:
        wait_until_idle(request.config.getoption("--patience"))
        size = 0.0 if smoke else BLOCK
        loops, block_seconds = calibrate(ours, size)
        ours_too, theirs = Rounds(candidates or {}, size), Rounds(rivals or {}, size)

        def before():  # outside pytest-benchmark's clock
            theirs.run()
            ours_too.run()
            settle(ours)

        def block():
            for _ in range(loops):
                ours()

        rounds = 1 if smoke else int(min(MOST, max(LEAST, SECONDS / block_seconds)))
        benchmark.pedantic(block, setup=before, rounds=rounds)
        seconds = median(benchmark.stats.stats.data) / loops
        row = Row(
            **columns, **limits, **work, loops=loops, seconds=seconds, candidates=ours_too.medians(), peers=theirs.medians()
        )
        benchmark.extra_info.update(asdict(row), **row.derived, isa=cpu.isa(), threads=threads.get_num_threads())

    return run
