"""fastcnn's build: one table of extension modules, one loop."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy
from Cython.Build import cythonize
from setuptools import Extension, setup

KERNELS = "fastcnn/kernels"
UKR = [f"{KERNELS}/ukr/ukr{stem}.c" for stem in ("", "_generic", "_avx2", "_avx512")]
DIRECTIVES = {"language_level": 3, "boundscheck": False, "wraparound": False, "cdivision": True, "initializedcheck": False}
# No -march=native (one wheel serves every CPU) and no -ffast-math (it would change the caller's floating-point state).
COMPILE = ["-O3", "-g0", "-std=gnu11", "-fno-math-errno", "-fno-trapping-math", "-Wno-unreachable-code"]

# module: extra C sources
EXTENSIONS = {
    "fastcnn.cpu_probe": [],
    f"{KERNELS}/memory": [],
    f"{KERNELS}/entry": [],
    f"{KERNELS}/micro": UKR,
    f"{KERNELS}/probe": [],
    f"{KERNELS}/call": [],
    f"{KERNELS}/gemm": [],
    f"{KERNELS}/strided": [],
    f"{KERNELS}/layout": [],
    f"{KERNELS}/elementwise": [],
    f"{KERNELS}/choice": [],
    f"{KERNELS}/convert": [],
    f"{KERNELS}/largest": [],
    f"{KERNELS}/take": [],
    f"{KERNELS}/relu": [],
    f"{KERNELS}/activation": [],
    f"{KERNELS}/pixels": [],
    f"{KERNELS}/columns": [],
    f"{KERNELS}/batch_norm": [],
    f"{KERNELS}/batch_norm_max_pool2d": [],
    f"{KERNELS}/group_norm": [],
    f"{KERNELS}/layer_norm": [],
    f"{KERNELS}/softmax": [],
    f"{KERNELS}/loss": [],
    f"{KERNELS}/window": [],
    f"{KERNELS}/interpolate": [],
    f"{KERNELS}/max_pool2d": [],
    f"{KERNELS}/avg_pool2d": [],
    f"{KERNELS}/cross_entropy": [],
    f"{KERNELS}/soft_cross_entropy": [],
    f"{KERNELS}/update": [],
    f"{KERNELS}/clip": [],
    f"{KERNELS}/moments": [],
    f"{KERNELS}/epilogue": [],
    f"{KERNELS}/repeat": [],
    f"{KERNELS}/conv2d_direct": [],
    f"{KERNELS}/conv2d_direct_weight": [],
    f"{KERNELS}/conv2d_batch": [],
    f"{KERNELS}/conv2d_narrow": [],
    f"{KERNELS}/conv2d_narrow_weight": [],
    f"{KERNELS}/conv2d_depthwise": [],
    f"{KERNELS}/conv2d_depthwise_weight": [],
    f"{KERNELS}/conv2d_winograd": [],
    f"{KERNELS}/conv2d_winograd_weight": [],
}


def openmp_flags() -> list[str]:
    """Return the flags that make this compiler build an OpenMP program, or stop with what to install."""
    source = "#include <omp.h>\nint main(void) { return omp_get_max_threads() < 1; }\n"
    compiler = os.environ.get("CC", "cc").split()
    flags = ["-Xpreprocessor", "-fopenmp", "-lomp"] if sys.platform == "darwin" else ["-fopenmp"]
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "probe.c"
        program.write_text(source)
        command = [*compiler, str(program), *flags, "-o", str(Path(folder) / "probe")]
        try:
            done = subprocess.run(command, capture_output=True, text=True)
        except FileNotFoundError:
            raise SystemExit(f"fastcnn: no C compiler {compiler[0]!r}; install gcc (Debian: apt install gcc) or set CC") from None
    if done.returncode:
        raise SystemExit(
            f"fastcnn: {compiler[0]!r} cannot build an OpenMP program; install gcc, or libomp for clang "
            f"(Debian: apt install gcc; macOS: brew install libomp)\n{done.stderr}"
        )
    return flags


def extensions() -> list[Extension]:
    flags = openmp_flags()
    wraps = sys.platform == "linux"  # team.h stands for a function of GCC's OpenMP runtime
    faces = [f"{KERNELS}/ukr/{stem}.h" for stem in ("ukr", "floats", "team", "convert", "largest")]
    faces += [str(p) for p in sorted(Path(KERNELS).glob("*.pxd"))]
    bodies = [str(p) for p in sorted(Path(f"{KERNELS}/ukr").glob("*.h"))]
    built = []
    for name, sources in EXTENSIONS.items():
        path = name.replace(".", "/")
        built.append(
            Extension(
                path.replace("/", "."),
                [f"{path}.pyx", *sources],
                include_dirs=[numpy.get_include(), f"{KERNELS}/ukr"],
                define_macros=[("NPY_NO_DEPRECATED_API", "NPY_2_0_API_VERSION")],
                extra_compile_args=COMPILE + flags + (["-include", "team.h"] if wraps else []),
                extra_link_args=flags + (["-Wl,--wrap=GOMP_parallel"] if wraps else []),
                depends=faces + bodies if sources else faces,
            )
        )
    return built


if __name__ == "__main__":
    setup(
        ext_modules=cythonize(extensions(), compiler_directives=DIRECTIVES, nthreads=os.cpu_count() or 1, quiet=True),
        options={"build_ext": {"parallel": os.cpu_count() or 1}},
    )
