"""tests.kernels.test_assembly: the depth loops of the register tiles, as built: all accumulators stay in registers."""

from __future__ import annotations

import platform
import re
import shutil
import subprocess
from functools import lru_cache

import pytest

from fastcnn.kernels import micro

if platform.machine() != "x86_64":
    pytest.skip("the loops are read as x86-64 assembly", allow_module_level=True)
if not shutil.which("objdump"):
    pytest.skip("objdump is not installed", allow_module_level=True)

FUNCTIONS = [f"fc_{t}_tile_{form}__{isa}" for isa in ("avx2", "avx512") for t in ("f32", "f64") for form in ("wide", "narrow")]
HEAD = re.compile(r"^[0-9a-f]+ <(\w+)>:$")
LINE = re.compile(r"^\s*([0-9a-f]+):\s+(.*\S)\s*$")
JUMP = re.compile(r"^j\w+\s+([0-9a-f]+)\s+<")
VECTOR = re.compile(r"%[xyz]mm\d+")
LEAST_FMAS = 4  # packed multiply-adds that make a loop a loop over depth


def parsed(text: str) -> dict[str, list[tuple[int, str]]]:
    """(address, instruction) of every function in the output of objdump."""
    functions: dict[str, list[tuple[int, str]]] = {}
    body: list[tuple[int, str]] = []
    for line in text.splitlines():
        if head := HEAD.match(line):
            body = functions.setdefault(head[1], [])
        elif instruction := LINE.match(line):
            body.append((int(instruction[1], 16), instruction[2]))
    return functions


def depth_loops(body: list[tuple[int, str]]) -> list[list[str]]:
    """The loops of a function that multiply and add packed vectors, without a jump but their last: not the loop around them."""
    start, end = body[0][0], body[-1][0]
    spans = []
    for address, text in body:
        jump = JUMP.match(text)
        if jump and start <= int(jump[1], 16) <= address <= end:
            spans.append((int(jump[1], 16), address))
    innermost = [s for s in spans if not any(t != s and s[0] <= t[0] and t[1] <= s[1] for t in spans)]
    loops = [[text for address, text in body if first <= address <= last] for first, last in innermost]
    loops = [loop for loop in loops if not any(re.match(r"j\w+\s", text) for text in loop[:-1])]
    return [loop for loop in loops if sum(bool(re.match(r"vfn?madd\d+p", text)) for text in loop) >= LEAST_FMAS]


def spills(body: list[tuple[int, str]], loop: list[str]) -> list[str]:
    """The instructions of a loop that move a vector to the stack or take one from there."""
    framed = any(re.match(r"mov\s+%rsp,%rbp$", text) for _, text in body)
    stack = re.compile(r"\(%r(?:sp|bp)" if framed else r"\(%rsp")
    return [text for text in loop if VECTOR.search(text) and stack.search(text)]


@lru_cache
def built() -> dict[str, list[tuple[int, str]]]:
    command = ["objdump", "-d", "--no-show-raw-insn", micro.__file__]
    return parsed(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_accumulators_stay_in_registers(name):
    body = built()[name]
    loops = depth_loops(body)
    assert loops, f"{name}: no loop of multiply-adds was found; has the kernel another name or form?"
    found = {i: wrong for i, loop in enumerate(loops) if (wrong := spills(body, loop))}
    assert not found, f"{name}: vectors spill inside depth loops {found}"


@pytest.mark.parametrize("isa", ["avx2", "avx512"])
def test_the_largest_tile_is_among_the_loops(isa):
    """A loop of the whole tile has mr x 2 multiply-adds, 28 or 12, times how often it is unrolled."""
    most = max(sum("fmadd" in text for text in loop) for loop in depth_loops(built()[f"fc_f32_tile_wide__{isa}"]))
    assert most % (28 if isa == "avx512" else 12) == 0


PLANTED = """
0000000000001000 <kernel>:
    1000:	mov    %rsp,%rbp
    1003:	vxorps %zmm0,%zmm0,%zmm0
    1008:	vmovaps %zmm9,(%rsp)
    1010:	vbroadcastss (%rax),%zmm1
    1016:	vfmadd231ps (%rcx),%zmm1,%zmm2
    101c:	vfmadd231ps 0x40(%rcx),%zmm1,%zmm3
    1022:	vfmadd231ps %zmm6,%zmm1,%zmm4
    1028:	vfmadd231ps %zmm6,%zmm1,%zmm5
    102c:	SPILL
    1030:	jne    1010 <kernel+0x10>
    1032:	jmp    1000 <kernel>
"""


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("vmovaps %zmm5,0x40(%rsp)", 1),
        ("vfmadd231ps -0x80(%rbp),%zmm1,%zmm5", 1),
        ("vmovaps %zmm5,0x40(%rdx)", 0),
        ("mov    0x18(%rsp),%rax", 0),
    ],
)
def test_planted_spill_is_found(text, count):
    body = parsed(PLANTED.replace("SPILL", text))["kernel"]
    (loop,) = depth_loops(body)
    assert len(spills(body, loop)) == count
