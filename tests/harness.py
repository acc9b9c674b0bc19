"""tests.harness: run one implementation of an op on one case and compare everything about it with the reference."""

from __future__ import annotations

import contextlib
import hashlib
from functools import lru_cache

import numpy as np

from fastcnn import cpu, threads
from fastcnn.kernels import select

from . import cases
from .problems import PROBLEMS, Draw

DTYPES = ("float32", "float64")
ISAS = cpu.available()
LAYOUT_OPS = ("to_channels_last", "to_contiguous")

# |got - reference| <= eps * ((SELF + sqrt(length)) * |reference| + SUM * sqrt(length) * rms(reference)): the rounding of a sum
# of `length` terms grows with its square root, relative to the sum itself when the terms have one sign (variance, softmax),
# else to the typical sum (about 0.2 eps * rms * sqrt(length) per element, one in a million above 1).
SELF, SUM = 4.0, 4.0
# Winograd F(4x4,3x3) loses digits in its transforms: only the relative L2 error is bounded, 2e-5 in float32.
WINOGRAD_L2 = 2e-5 / np.finfo(np.float32).eps
MOST_ZEROS = 0.7


def implementations(op: str):
    """Every implementation of `op` except the reference."""
    return [impl for impl in select.OPS[op] if impl.name != "reference"]


def reference(op: str):
    return next(impl for impl in select.OPS[op] if impl.name == "reference")


def is_winograd(impl) -> bool:
    return "winograd" in impl.name


def rows(op: str, names=None):
    """(implementation, case name) for all cases that the implementation accepts in float32."""
    table = cases.CASES[op]
    return [(impl, name) for impl in implementations(op) for name in names or table if impl.accepts(*arguments(op, table[name]))]


def row_id(value) -> str:
    return value if isinstance(value, str) else value.name


@contextlib.contextmanager
def machine(isa: str | None, count: int):
    """Run with one ISA level (None: the default) and `count` threads."""
    before = threads.get_num_threads()
    threads.set_num_threads(count)
    try:
        with cpu.use_isa(isa) if isa else contextlib.nullcontext():
            yield
    finally:
        threads.set_num_threads(before)


@lru_cache(maxsize=64)
def arguments(op: str, case, dtype: str = "float32", values: str = "real", optional: bool = True, seed: int = 0) -> tuple:
    """The arguments of `op` for `case`, frozen, in the layout in which they were drawn."""
    args = PROBLEMS[op].arguments(case, Draw(dtype, values, seed, optional))
    for a in args:
        if isinstance(a, np.ndarray):
            a.flags.writeable = False
    return args


@lru_cache(maxsize=64)
def expected(op: str, case, dtype: str, values: str, optional: bool, seed: int) -> tuple:
    """The outputs of the reference; refuses a case that would pass with a kernel that returns zeros."""
    args = arguments(op, case, dtype, values, optional, seed)
    with np.errstate(all="ignore"):
        outputs = as_tuple(reference(op).function(*args))
    reject_vacuous(op, args, outputs)
    return outputs


class VacuousCase(AssertionError):
    """A case whose numbers are mostly zeros: a kernel that computes nothing would pass."""


def reject_vacuous(op: str, args, outputs) -> None:
    """Raise VacuousCase when an input or an output is mostly zeros."""
    arrays = [a for a in args if isinstance(a, np.ndarray) and a.dtype.kind == "f"]
    values = [y for y in outputs if y.dtype.kind == "f"]
    scatters = PROBLEMS[op].scatters
    if not scatters and all(a.size for a in arrays):  # an empty sum is zero by right
        arrays += values
    for a in arrays:
        # a small array of random signs may be mostly zeros behind a ReLU by chance
        if a.size >= 100 and np.mean(a == 0) > MOST_ZEROS:
            raise VacuousCase(f"{op}: vacuous test, an array of shape {a.shape} is mostly zeros")
    if scatters and values[0].size:
        dy, dx = arrays[0], values[0]
        sent = min(dx.size, dy.shape[0] * dx.shape[1] * dy.shape[2] * dy.shape[3])
        if np.count_nonzero(dx) < max(1, int(scatters * sent)):
            raise VacuousCase(f"{op}: vacuous test, too little arrives in dx")


def as_tuple(outputs) -> tuple:
    return outputs if isinstance(outputs, tuple) else (outputs,)


def _root(a):
    while isinstance(a.base, np.ndarray):
        a = a.base
    return a


def _bytes(a) -> bytes:
    return a.tobytes() if isinstance(a, np.ndarray) else b""


def call(impl, args, isa: str | None, count: int, **options) -> tuple:
    """Run the implementation (with its own options); fail when it writes to an input or to the memory around it."""
    before = [_bytes(_root(a)) if isinstance(a, np.ndarray) else None for a in args]
    with machine(isa, count):
        outputs = as_tuple(impl.run(*args, **options))
    for i, (a, old) in enumerate(zip(args, before, strict=True)):
        assert old is None or _bytes(_root(a)) == old, f"argument {i} was changed by the call"
    return outputs


def compare(op: str, got: tuple, want: tuple, *, dtype: str, length: int, exact: bool, scale=(), winograd=False) -> None:
    """Raise AssertionError where `got` is not `want`: number, shape, dtype, memory order, NaN, Inf, values."""
    assert len(got) == len(want), f"{len(got)} outputs, expected {len(want)}"
    for i, (g, w) in enumerate(zip(got, want, strict=True)):
        assert isinstance(g, np.ndarray), f"output {i} is {type(g).__name__}, not ndarray"
        assert g.shape == w.shape, f"output {i} has shape {g.shape}, expected {w.shape}"
        assert g.dtype == w.dtype, f"output {i} has dtype {g.dtype}, expected {w.dtype}"
        if g.ndim == 4 and op != "to_contiguous":
            assert g.transpose(0, 2, 3, 1).flags.c_contiguous, f"output {i} is not channels-last: strides {g.strides}"
        eps, floor = float(np.finfo(dtype).eps), scale[i] if i < len(scale) else 0.0
        if op.startswith(FLUSHING):
            g, w = flushed(g), flushed(w)
        _compare_values(f"output {i}", g, w, eps=eps, length=length, exact=exact, floor=floor, winograd=winograd)


# Beginnings of the names of operations.
FLUSHING = (
    "activation_",
    "cross_entropy_",
    "soft_cross_entropy_",
    "conv2d_",
    "gemm",
    "batch_norm_",
    "group_norm_",
    "layer_norm_",
    "softmax_",
    "loss_",
)


def flushed(values):
    """Denormal values count as zero where kernels that compute have flushed them."""
    return (
        np.where(np.abs(values) < np.finfo(values.dtype).tiny, values.dtype.type(0), values)
        if values.dtype.kind == "f"
        else values
    )


def _compare_values(what, g, w, *, eps, length, exact, floor, winograd) -> None:
    if w.dtype.kind != "f" or exact:
        wrong = ~((g == w) | ((g != g) & (w != w)))
        assert not wrong.any(), _first(what, g, w, wrong, "differs")
        return
    finite = np.isfinite(w)
    if not winograd:  # Winograd spreads NaN and Inf over a tile
        wrong = ~finite & ~((g == w) | (np.isnan(g) & np.isnan(w)))
        assert not wrong.any(), _first(what, g, w, wrong, "has other NaN or Inf")
        assert np.isfinite(g[finite]).all(), _first(what, g, w, finite & ~np.isfinite(g), "is not finite")
    if not finite.any():
        return
    gf, wf = g[finite].astype(np.float64), w[finite].astype(np.float64)
    rms = max(float(np.sqrt(np.mean(wf**2))), floor)
    if winograd:
        error, bound = np.sqrt(np.mean((gf - wf) ** 2)), WINOGRAD_L2 * eps
        assert error <= bound * rms, f"{what}: relative L2 error {error / rms:.3g} above {bound:.3g}"
        return
    wrong, root = np.zeros(w.shape, bool), np.sqrt(length)
    wrong[finite] = ~(np.abs(gf - wf) <= eps * ((SELF + root) * np.abs(wf) + SUM * root * rms))
    assert not wrong.any(), _first(what, g, w, wrong, "is too far away")


def _first(what, g, w, wrong, problem) -> str:
    at = tuple(int(i) for i in np.argwhere(wrong)[0])
    return f"{what} {problem} at {at}: {g[at]!r}, expected {w[at]!r} ({np.count_nonzero(wrong)} of {wrong.size} are wrong)"


def _run(op, impl, case, args, want, *, isa, count, dtype, exact, **options) -> None:
    with np.errstate(all="ignore"):  # an implementation may be written in NumPy
        got = call(impl, args, isa, count, **options)
    problem, winograd = PROBLEMS[op], is_winograd(impl)
    length = problem.length(case)
    scale = problem.scale(max(length, 1), *args)
    compare(op, got, want, dtype=dtype, length=length, exact=exact, scale=scale, winograd=winograd)
    if op not in LAYOUT_OPS:
        shared = any(np.shares_memory(g, a) for g in got for a in args if isinstance(a, np.ndarray))
        assert not shared, "an output shares memory with an input"


@contextlib.contextmanager
def _explained(op, impl, case, **options):
    try:
        yield
    except AssertionError as error:
        run = " ".join(f"{name}={value}" for name, value in options.items())
        raise AssertionError(f"{op}, {impl.name}: {error}\n  case={case}\n  {run}") from error


def check(op, impl, case, *, isa=None, count=1, dtype="float32", layout="nhwc", values="real", optional=True, seed=0) -> bool:
    """Compare `impl` with the reference on `case`; return False when it does not accept the arguments."""
    drawn = arguments(op, case, dtype, values, optional, seed)
    args = tuple(cases.lay(a, layout) if isinstance(a, np.ndarray) else a for a in drawn)
    if not impl.accepts(*args):
        return False
    want = expected(op, case, dtype, values, optional, seed)
    exact = op in LAYOUT_OPS or (values == "integer" and not is_winograd(impl) and PROBLEMS[op].exact(case))
    options = {"isa": isa, "count": count, "dtype": dtype}
    with _explained(op, impl, case, **options, layout=layout, values=values, optional=optional, seed=seed):
        _run(op, impl, case, args, want, exact=exact, **options)
    return True


def check_arguments(op, impl, case, args, *, isa=None, count=1, exact=False, **options) -> bool:
    """Compare `impl` with the reference on arguments (and options of both) made by the test."""
    if not impl.accepts(*args):
        return False
    with np.errstate(all="ignore"):
        want = as_tuple(reference(op).run(*args, **options))
    how = {"isa": isa, "count": count, "dtype": args[0].dtype.name}
    with _explained(op, impl, case, **how, **{name: a if np.isscalar(a) else "array" for name, a in options.items()}):
        _run(op, impl, case, args, want, exact=exact, **how, **options)
    return True


def check_everywhere(op, impl, case, *, layout="nhwc", optional=True, seed=0) -> None:
    """`check` with every ISA level, 1 and 2 threads, and the three kinds of data; integers are compared bit for bit."""
    ran = False
    for isa in ISAS:
        for count in (1, 2):
            for dtype, values in (("float32", "integer"), ("float32", "real"), ("float64", "real")):
                options = {"dtype": dtype, "values": values, "layout": layout, "optional": optional, "seed": seed}
                ran |= check(op, impl, case, isa=isa, count=count, **options)
    assert ran, f"{op}, {impl.name}: accepts no variant of {case}"


def digest(outputs) -> str:
    """sha256 over shapes, dtypes and values of the outputs."""
    sha = hashlib.sha256()
    for y in as_tuple(outputs):
        sha.update(f"{y.shape}{y.dtype}".encode())
        sha.update(_bytes(y))
    return sha.hexdigest()


def check_threads(op, impl, case, *, isa=None, dtype="float32", counts=(1, 2, 3, 4, 7, 8)) -> None:
    """Fail unless the outputs are the same bits for every thread count."""
    args = arguments(op, case, dtype)
    digests = {count: digest(call(impl, args, isa, count)) for count in counts}
    assert len(set(digests.values())) == 1, (
        f"{op}, {impl.name}: bits depend on the thread count {digests}\n  case={case} isa={isa}"
    )
