"""tests.kernels.test_call: what reaches a kernel when it is called by its public name."""

from __future__ import annotations

import numpy as np
import pytest

from fastcnn import policy, threads
from fastcnn.kernels import call
from fastcnn.kernels.table import Impl

F4, F8 = np.zeros(2, np.float32), np.zeros(2)


def kernel(*args, **options):
    return "kernel", args, options


def other(*args, **options):
    return "other", args, options


def function(same: bool):
    """A public function that asks for another implementation than the first."""
    return call.public("op", lambda op, args, algorithm: Impl(f"{op} {algorithm}", other), kernel, same)


@pytest.fixture(autouse=True)
def seven():
    before = threads.get_num_threads()
    threads.set_num_threads(7)
    yield
    threads.set_num_threads(before)


@pytest.mark.parametrize("count", [0, 1, 5, 21, 22, 23, 40])
@pytest.mark.parametrize("options", [{}, {"a": 1, "b": None}])
def test_all_arguments_arrive_with_the_count_of_threads(count, options):
    args = (F4, *range(count))
    want = "kernel", args, {"threads": 7, **options}
    assert call.with_threads(kernel, args, options) == want
    assert function(same=False)(*args, **options) == want


@pytest.mark.parametrize(
    ("args", "same", "taken"),
    [
        ((F4, F4), True, True),
        ((F8, F8), True, True),
        ((F4, F8), True, False),
        ((F4, F8), False, True),
        ((F4, "case"), False, True),
        ((F4,), True, False),
        ((F4, 1.0), True, False),
        ((F4.astype(np.int32),), False, False),
        ((F4.astype(np.float16),), False, False),
        (([1.0],), False, False),
        ((), False, False),
    ],
)
def test_the_kernel_runs_for_floats_only(args, same, taken):
    assert function(same)(*args)[0] == ("kernel" if taken else "other")


def test_whoever_names_an_algorithm_gets_another_choice(monkeypatch):
    assert function(same=False)(F4, algorithm="auto", a=1) == ("other", (F4,), {"a": 1})
    monkeypatch.setattr(policy.state, "blocks", 1)
    assert function(same=False)(F4)[0] == "other"


def test_a_compiled_choice_gets_the_count_of_threads():
    compiled = call.public("op", lambda *_: Impl("one", kernel, compiled=True), None, False)
    assert compiled(F4, a=2) == ("kernel", (F4,), {"threads": 7, "a": 2})


def test_errors_of_the_kernel_pass():
    def fails(x, *, threads):
        raise KeyError(threads)

    with pytest.raises(KeyError, match="7"):
        call.public("op", None, fails, False)(F4)
