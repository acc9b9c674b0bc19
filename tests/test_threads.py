"""tests.test_threads: where the thread count comes from, its bounds, and what a forked child does."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from fastcnn import threads
from fastcnn.errors import ArgumentError

ROOT = Path(__file__).parents[1]
V1 = "/sys/fs/cgroup/cpu/cpu.cfs_{}_us"


def python(code: str, **environment) -> str:
    """Run `code` in a process of its own, which must end by itself within 20 seconds; return what it prints."""
    env = {k: v for k, v in os.environ.items() if k not in ("FASTCNN_NUM_THREADS", "OMP_NUM_THREADS")} | environment
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, text=True, timeout=20)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def machine(monkeypatch):
    """A machine with given CPUs, control-group files and environment; returns the default count and its reason."""

    def default(cpus=8, files=None, **environment):
        for name in ("FASTCNN_NUM_THREADS", "OMP_NUM_THREADS"):
            monkeypatch.delenv(name, raising=False)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(threads, "_affinity", lambda: cpus)
        monkeypatch.setattr(threads, "_read", lambda path: (files or {}).get(str(path), ""))
        return threads._default()

    return default


@pytest.mark.parametrize("n", [1, 2, 3, 255, 256])
def test_set_and_get(n):
    threads.set_num_threads(n)
    assert threads.get_num_threads() == n
    assert threads.reason() == "set_num_threads"


@pytest.mark.parametrize("n", [0, -1, 257, 10**9, 1.0, "2", None, True])
def test_set_refuses(n):
    before = threads.get_num_threads()
    with pytest.raises(ArgumentError, match="set_num_threads: n must be an int between 1 and 256, got "):
        threads.set_num_threads(n)
    assert threads.get_num_threads() == before


def test_set_takes_any_integer_type():
    threads.set_num_threads(np.int64(2))
    assert threads.get_num_threads() == 2 and type(threads.get_num_threads()) is int


def test_import_leaves_the_environment_alone():
    """Also the variables from which the OpenMP runtime takes its spins, whether the user has set them or not."""
    code = "import os; before = dict(os.environ); import fastcnn; from fastcnn import kernels; print(before == dict(os.environ))"
    assert python(code) == python(code, GOMP_SPINCOUNT="5") == python(code, OMP_WAIT_POLICY="active") == "True"


def test_affinity_is_the_default(machine):
    assert machine(cpus=5) == (5, "CPU affinity")
    assert machine(cpus=1000) == (256, "CPU affinity")


@pytest.mark.parametrize(
    ("environment", "want"),
    [
        ({"FASTCNN_NUM_THREADS": "3"}, (3, "FASTCNN_NUM_THREADS=3")),
        ({"OMP_NUM_THREADS": "4"}, (4, "OMP_NUM_THREADS=4")),
        ({"OMP_NUM_THREADS": "4,2"}, (4, "OMP_NUM_THREADS=4")),
        ({"FASTCNN_NUM_THREADS": " 12 ", "OMP_NUM_THREADS": "4"}, (12, "FASTCNN_NUM_THREADS=12")),
        ({"FASTCNN_NUM_THREADS": "", "OMP_NUM_THREADS": ""}, (8, "CPU affinity")),
        ({"OMP_NUM_THREADS": "many"}, (8, "CPU affinity")),
        ({"OMP_NUM_THREADS": "0"}, (8, "CPU affinity")),
        ({"OMP_NUM_THREADS": "-1"}, (8, "CPU affinity")),
    ],
)
def test_environment(machine, environment, want):
    assert machine(**environment) == want


@pytest.mark.parametrize("text", ["0", "257", "-1", "1.5", "two"])
def test_own_variable_must_be_right(machine, text):
    with pytest.raises(ArgumentError, match=f"FASTCNN_NUM_THREADS must be an int between 1 and 256, got '{text}'"):
        machine(FASTCNN_NUM_THREADS=text)


@pytest.mark.parametrize(
    ("files", "want"),
    [
        ({"/sys/fs/cgroup/cpu.max": "200000 100000\n"}, (2, "cgroup quota of 2 CPUs")),
        ({"/sys/fs/cgroup/cpu.max": "350000 100000\n"}, (3, "cgroup quota of 3.5 CPUs")),
        ({"/sys/fs/cgroup/cpu.max": "50000 100000\n"}, (1, "cgroup quota of 0.5 CPUs")),
        ({"/sys/fs/cgroup/cpu.max": "max 100000\n"}, (8, "CPU affinity")),
        ({"/sys/fs/cgroup/cpu.max": "1600000 100000\n"}, (8, "CPU affinity")),
        ({"/proc/self/cgroup": "0::/a/b\n", "/sys/fs/cgroup/a/b/cpu.max": "300000 100000"}, (3, "cgroup quota of 3 CPUs")),
        ({"/proc/self/cgroup": "0::/a/b\n", "/sys/fs/cgroup/a/cpu.max": "400000 100000"}, (4, "cgroup quota of 4 CPUs")),
        (
            {
                "/proc/self/cgroup": "12:cpu:/x\n0::/a/b\n",
                "/sys/fs/cgroup/a/b/cpu.max": "600000 100000",
                "/sys/fs/cgroup/a/cpu.max": "500000 100000",
                "/sys/fs/cgroup/cpu.max": "max 100000",
            },
            (5, "cgroup quota of 5 CPUs"),
        ),
        ({V1.format("quota"): "200000\n", V1.format("period"): "100000\n"}, (2, "cgroup quota of 2 CPUs")),
        ({V1.format("quota"): "-1\n", V1.format("period"): "100000\n"}, (8, "CPU affinity")),
    ],
)
def test_control_group_quota(machine, files, want):
    assert machine(files=files) == want


def test_environment_beats_the_quota(machine):
    files = {"/sys/fs/cgroup/cpu.max": "200000 100000\n"}
    assert machine(files=files, OMP_NUM_THREADS="6") == (6, "OMP_NUM_THREADS=6")


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs CPU affinity")
def test_affinity_of_a_process():
    code = """
import os
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
import fastcnn
print(fastcnn.get_num_threads())
"""
    assert python(code) == "1"


def test_many_threads_may_ask_at_once(monkeypatch):
    monkeypatch.setattr(threads, "_count", None)
    got = []
    workers = [threading.Thread(target=lambda: got.append(threads.get_num_threads())) for _ in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(got) == 8 and len(set(got)) == 1


CHILD = """
import multiprocessing, os, sys
import numpy as np
import fastcnn
from fastcnn import kernels, threads
from fastcnn.shapes import conv2d_case

def work(_=0):
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((2, 64, 28, 28), np.float32), rng.standard_normal((64, 64, 3, 3), np.float32)
    case = conv2d_case(x.shape, w.shape, 1, 1)
    y = kernels.conv2d_forward(x, w, None, case)
    return threads.get_num_threads(), y.tobytes(), kernels.gemm(w[:, :, 0, 0], w[:, :, 1, 1]).tobytes()

def child(send):
    fastcnn.set_num_threads(2)
    send((*work(), threads.reason()))

def by_fork():
    read, write = multiprocessing.Pipe(False)
    pid = os.fork()
    if not pid:
        child(write.send)
        os._exit(0)
    got = read.recv()
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    return got

def by_pool(method):
    with multiprocessing.get_context(method).Pool(1) as pool:
        return (*pool.map(work, [0])[0], "")

if __name__ == "__main__":
    how, used = sys.argv[1], sys.argv[2] == "used"
    fastcnn.set_num_threads(2)
    want = work() if used else None
    got = by_fork() if how == "os.fork" else by_pool(how)
    want = want or work()
    assert got[1:3] == want[1:3], "the child computes something else"
    print(got[0], got[3], want[0])
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("parent", ["used", "idle"])
@pytest.mark.parametrize("how", ["os.fork", "fork", "forkserver", "spawn"])
def test_child_computes_and_ends(tmp_path, how, parent):
    """A forked child runs on one thread, whatever the parent did before; a spawned one is a process like any other."""
    (tmp_path / "child.py").write_text(CHILD)
    env = os.environ | {"PYTHONPATH": str(ROOT), "FASTCNN_NUM_THREADS": "2"}
    command = [sys.executable, str(tmp_path / "child.py"), how, parent]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=20)
    assert done.returncode == 0, done.stderr
    want = {"os.fork": "1 forked child 2", "fork": "1  2", "forkserver": None, "spawn": "2  2"}[how]
    assert want is None or done.stdout.strip() == want


def test_the_import_leaves_the_environment_as_it_was():
    code = "import os; before = dict(os.environ); import fastcnn; assert dict(os.environ) == before"
    for extra in ({}, {"OMP_WAIT_POLICY": "active"}, {"GOMP_SPINCOUNT": "5"}):
        environment = {k: v for k, v in os.environ.items() if k not in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")} | extra
        subprocess.run([sys.executable, "-c", code], check=True, env=environment)
