"""tests.sizes: lengths of files and functions, and the bounds on them; `python -m tests.sizes` prints the table."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
PARTS = ("fastcnn", "tests", "bench", "examples")

# First match wins: (pattern of the path, most lines of a file, most lines of a function)
BOUNDS = (
    (r"fastcnn/ops/.*\.py", 300, 50),
    (r"fastcnn/autograd/tape\.py", 300, 50),
    (r"fastcnn/kernels/ukr/.*\.[ch]", 500, 80),
    (r".*\.pyx", 400, 80),
    (r".*\.(py|pyi|pxd|h|c)", 300, 50),
)
# path: (most lines of the file, most lines of a function, the reason in a sentence)
EXCEPTIONS: dict[str, tuple[int, int, str]] = {}


class Size(NamedTuple):
    """Lines of one file and of its longest function."""

    path: str
    lines: int
    function: str
    function_lines: int


def _span(node: ast.stmt) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def _functions(path: Path, text: str) -> Iterator[tuple[str, int]]:
    """Yield (name, lines) of every function: Python without docstrings, Cython by indentation, C by braces in column 1."""
    if path.suffix in (".py", ".pyi"):
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                yield node.name, _span(node) - (_span(node.body[0]) if ast.get_docstring(node) else 0)
    elif path.suffix in (".pyx", ".pxd"):
        yield from _indented_functions(text.splitlines())
    else:
        for match in re.finditer(r"^[A-Za-z_][^;{}]*?(\w+)\([^;{}]*\)\s*\{.*?^\}", text, re.MULTILINE | re.DOTALL):
            yield match[1], match[0].count("\n") + 1


def _indented_functions(lines: list[str]) -> Iterator[tuple[str, int]]:
    start = re.compile(r"^(\s*)(?:def|cdef|cpdef)\s+(?!class|struct|enum|extern)[^=]*?(\w+)\s*\(")
    for first, line in enumerate(lines):
        match = start.match(line)
        if not match:
            continue
        last = first
        for at in range(first + 1, len(lines)):
            if not lines[at].strip():
                continue
            indent = len(lines[at]) - len(lines[at].lstrip())
            if indent <= len(match[1]) and not lines[at].lstrip().startswith(")"):
                break
            last = at
        yield match[2], last - first + 1


def generated(path: Path) -> bool:
    """Whether a .c file is Cython's output for the .pyx beside it."""
    return path.suffix == ".c" and path.with_suffix(".pyx").exists()


def sizes(root: Path = ROOT) -> list[Size]:
    """Return the sizes of all sources below `root`, longest file first."""
    found = []
    paths = [root / "setup.py", *(p for part in PARTS for p in (root / part).rglob("*"))]
    for path in paths:
        if path.suffix in (".py", ".pyi", ".pyx", ".pxd", ".c", ".h") and path.is_file() and not generated(path):
            text = path.read_text()
            name, length = max(_functions(path, text), key=lambda f: f[1], default=("", 0))
            found.append(Size(path.relative_to(root).as_posix(), len(text.splitlines()), name, length))
    return sorted(found, key=lambda size: (-size.lines, size.path))


def bounds(path: str) -> tuple[int, int]:
    """Return the most lines that a file and its functions may have."""
    if path in EXCEPTIONS:
        return EXCEPTIONS[path][:2]
    return next((lines, function) for pattern, lines, function in BOUNDS if re.fullmatch(pattern, path))


def main() -> None:
    found = sizes()
    shown = len(found) if "--all" in sys.argv else 30
    print(f"{'file':52} {'lines':>5} {'bound':>5}  longest function")
    for size in found[:shown]:
        lines, function = bounds(size.path)
        mark = " <- above its bound" if size.lines > lines or size.function_lines > function else ""
        print(f"{size.path:52} {size.lines:5} {lines:5}  {size.function} ({size.function_lines} of {function}){mark}")
    for part in (*PARTS, "setup.py"):
        lengths = [size.lines for size in found if size.path.startswith(part)]
        if lengths:
            print(f"{part}: {len(lengths)} files, {sum(lengths)} lines, median {median(lengths):.0f}, longest {max(lengths)}")


if __name__ == "__main__":
    main()
