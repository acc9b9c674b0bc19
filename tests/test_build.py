"""tests.test_build: what an installation promises: metadata, an import without side effects, clear build errors."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import fastcnn

ROOT = Path(__file__).parent.parent
PROJECT = (ROOT / "pyproject.toml").read_text()


def run(code: str, **environment: str) -> str:
    """Run Python code in a new process from the root of the tree and return what it prints."""
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_version_is_the_same_everywhere():
    assert f'version = "{fastcnn.__version__}"' in PROJECT
    assert re.search(
        rf"^## \[?({re.escape(fastcnn.__version__)}|Unreleased)\b", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE
    )


def test_console_script_exists():
    module, _, name = re.search(r'^fastcnn = "([\w.]+)(:)(\w+)"$', PROJECT, re.MULTILINE).groups()
    spec = importlib.util.find_spec(module)
    assert spec is not None and re.search(rf"\b{name}\b", Path(spec.origin).read_text())


def test_import_starts_no_threads():
    # NumPy's own pool starts when NumPy is imported; what counts is what fastcnn adds.
    counts = run(
        "import os, numpy; n = len(os.listdir('/proc/self/task')); import fastcnn; print(n, len(os.listdir('/proc/self/task')))"
    )
    before, after = counts.split()
    assert before == after


def test_import_leaves_floating_point_state():
    code = (
        "import numpy as np; a = np.float32(1e-39) * np.float32(1); import fastcnn; print(a, np.float32(1e-39) * np.float32(1))"
    )
    before, after = run(code).split()
    assert before == after and float(after) > 0


def test_no_flags_that_change_results_or_need_this_cpu():
    code = "\n".join(line for line in (ROOT / "setup.py").read_text().splitlines() if not line.lstrip().startswith("#"))
    assert not re.search(r"-march|-mtune|-ffast-math|-funsafe-math|-Ofast", code)


def build_flags(tmp_path: Path, compiler: str) -> subprocess.CompletedProcess:
    """Run setup.py's search for OpenMP with another compiler."""
    code = "import runpy; runpy.run_path('setup.py', run_name='setup')['openmp_flags']()"
    environment = {**os.environ, "CC": compiler}
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)


@pytest.fixture
def needs_build_requirements():
    pytest.importorskip("Cython")
    pytest.importorskip("setuptools")


def test_compiler_without_openmp_is_named(tmp_path, needs_build_requirements):
    compiler = tmp_path / "plain-cc"
    compiler.write_text("#!/bin/sh\necho 'unrecognised option -fopenmp' >&2\nexit 1\n")
    compiler.chmod(0o755)
    done = build_flags(tmp_path, str(compiler))
    assert done.returncode != 0 and "OpenMP" in done.stderr and str(compiler) in done.stderr and "apt" in done.stderr


def test_missing_compiler_is_named(tmp_path, needs_build_requirements):
    done = build_flags(tmp_path, "/nowhere/cc")
    assert done.returncode != 0 and "/nowhere/cc" in done.stderr and "Traceback" not in done.stderr


def test_extensions_need_no_libraries_but_openmp():
    from fastcnn import cpu_probe

    needed = subprocess.run(["readelf", "-d", cpu_probe.__file__], capture_output=True, text=True, check=True).stdout
    libraries = set(re.findall(r"NEEDED.*\[([\w.+-]+)\]", needed))
    assert libraries <= {"libgomp.so.1", "libomp.so.5", "libpthread.so.0", "libc.so.6", "libm.so.6", "ld-linux-x86-64.so.2"}
