"""tests.house_rules: the rules of the house, each a function from a source tree to the list of its violations."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from .sizes import PARTS, bounds, generated, sizes

# A room may import rooms of a lower rank, never of its own or a higher one. Files directly in fastcnn/ have rank 0.
RANKS = {
    "reference": 1,
    "autograd": 2,
    "kernels": 2,
    "ops": 3,
    "nn": 4,
    "optim": 4,
    "data": 5,
    "graph": 5,
    "io": 6,
    "models": 7,
    "prune": 7,
    "runtime": 7,
    "train": 7,
    "compress": 8,
    "report": 8,
    "sklearn": 8,
    "cli": 9,
}
README_HEADINGS = ["What lives here", "May import", "To add one", "Not here"]
README_LINES = 30
FORBIDDEN_NAMES = {"utils", "util", "helpers", "helper", "common", "misc"}
NAMES_OF_PYTORCH = {"fastcnn/nn/utils.py"}  # where users look for it
FORBIDDEN_IMPORTS = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}
UNFINISHED = re.compile(r"\b(?:TO" r"DO|FIX" r"ME|XX" r"X)\b")  # in pieces, or this line would break its own rule
# Files of fastcnn/ops that are not an op: what their README says of them.
NOT_OPS = {
    "comparison": "results without gradient",
    "extremes": "what max and min share",
    "losses": "what the losses share",
    "methods": "operators of Tensor",
    "bounds": "activations in the store of a product",
    "normalisation": "what the norms share",
    "operands": "checks and type rules",
    "positions": "what an index means",
    "resampling": "tables of interpolation",
    "shaping": "compositions of other operations",
}


def sources(root: Path, *parts: str, suffixes: tuple[str, ...] = (".py", ".pyi", ".pyx", ".pxd")) -> Iterator[Path]:
    """Yield the hand-written sources below some folders of the tree."""
    for part in parts or PARTS:
        for path in sorted((root / part).rglob("*")):
            if path.suffix in suffixes and path.is_file() and not generated(path):
                yield path


def room_of(root: Path, path: Path) -> str:
    """Return the room of a file in fastcnn/: the folder, or "" for files directly in the package."""
    parts = path.relative_to(root / "fastcnn").parts
    return parts[0] if len(parts) > 1 else ""


def imports(root: Path, path: Path) -> Iterator[tuple[int, str]]:
    """Yield (line, dotted name) of everything that a file imports, relative names resolved, `from a import b` as a.b."""
    package = path.relative_to(root).parts[:-1]
    text = path.read_text()
    found = _cython_imports(text) if path.suffix in (".pyx", ".pxd") else _python_imports(ast.parse(text))
    for line, level, module, names in found:
        base = list(package[: len(package) - level + 1]) if level else []
        base += module.split(".") if module else []
        for name in names or [""]:
            yield line, ".".join([*base, name] if name else base)


def _python_imports(tree: ast.AST) -> Iterator[tuple[int, int, str, list[str]]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, 0, alias.name, []
        elif isinstance(node, ast.ImportFrom):
            yield node.lineno, node.level, node.module or "", [alias.name for alias in node.names]


def _cython_imports(text: str) -> Iterator[tuple[int, int, str, list[str]]]:
    for number, line in enumerate(text.splitlines(), 1):
        if match := re.match(r"\s*from\s+(\.*)([\w.]*)\s+c?import\s+(.+)", line):
            names = [part.split(" as ")[0].strip(" ()") for part in match[3].split("#")[0].split(",")]
            yield number, len(match[1]), match[2], [name for name in names if name]
        elif match := re.match(r"\s*c?import\s+([\w., ]+)", line):
            for name in match[1].split(","):
                yield number, 0, name.split(" as ")[0].strip(), []


def import_arrow(root: Path) -> list[str]:
    """Rooms import downwards only; nothing imports the public face; autograd and kernels do not see each other."""
    wrong = []
    for path in sources(root, "fastcnn"):
        room = room_of(root, path)
        if path in (root / "fastcnn" / "__init__.py", root / "fastcnn" / "__main__.py"):
            continue  # the two faces: they may see all rooms
        for line, name in imports(root, path):
            parts = name.split(".")
            if parts[0] != "fastcnn":
                continue
            target = parts[1] if len(parts) > 1 and parts[1] in RANKS else ""
            where = f"{path.relative_to(root)}:{line}"
            if len(parts) == 1 and RANKS.get(room, 0) < RANKS["cli"]:
                wrong.append(f"{where}: imports the package's public face")
            elif target and target != room and RANKS[target] >= RANKS.get(room, 0):
                wrong.append(f"{where}: {room or 'fastcnn'} imports {target}")
    return wrong


def first_lines(root: Path) -> list[str]:
    """Each file starts with a docstring `<room>.<stem>: what it is`."""
    wrong = []
    for path in sources(root, "fastcnn", "tests", "bench", suffixes=(".py", ".pyx")):
        parts = list(path.relative_to(root).with_suffix("").parts)
        if parts[-1] == "__init__":
            parts.pop()
        if parts[0] == "fastcnn" and len(parts) > 2:
            parts = parts[1:]
        names = {".".join(parts), ".".join(parts[-2:])}
        first = path.read_text().partition("\n")[0]
        if not any(first.startswith(f'"""{name}: ') for name in names):
            wrong.append(f"{path.relative_to(root)}: does not start with a docstring '{min(names, key=len)}: ...'")
    return wrong


def forbidden_names(root: Path) -> list[str]:
    """No file or folder is called utils or the like: the name must say what is inside."""
    paths = (path.relative_to(root) for path in sources(root, suffixes=(".py", ".pyx", ".c", ".h", ".pxd")))
    names = (path for path in paths if path.as_posix() not in NAMES_OF_PYTORCH)
    return [f"{path}: says nothing" for path in names if {*path.parts[:-1], path.stem} & FORBIDDEN_NAMES]


def unfinished(root: Path) -> list[str]:
    """No notes to oneself are left in the sources."""
    wrong = []
    for path in sources(root, suffixes=(".py", ".pyi", ".pyx", ".pxd", ".c", ".h", ".md")):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if UNFINISHED.search(line):
                wrong.append(f"{path.relative_to(root)}:{number}: {line.strip()}")
    return wrong


def no_pickle(root: Path) -> list[str]:
    """Nothing can load a file that runs code."""
    wrong = []
    for path in sources(root, "fastcnn", "examples"):
        for line, name in imports(root, path):
            if name.split(".")[0] in FORBIDDEN_IMPORTS:
                wrong.append(f"{path.relative_to(root)}:{line}: imports {name}")
        if re.search(r"allow_pickle\s*=\s*True", path.read_text()):
            wrong.append(f"{path.relative_to(root)}: allow_pickle=True")
    return wrong


def small(root: Path) -> list[str]:
    """Files and functions stay below the bounds in tests/sizes.py."""
    wrong = []
    for size in sizes(root):
        lines, function = bounds(size.path)
        if size.lines > lines:
            wrong.append(f"{size.path}: {size.lines} lines, the bound is {lines}")
        if size.function_lines > function:
            wrong.append(f"{size.path}: {size.function} has {size.function_lines} lines, the bound is {function}")
    return wrong


def room_readmes(root: Path) -> list[str]:
    """Each room that holds sources has a README of at most 30 lines with the four headings."""
    wrong = []
    rooms = {root / "fastcnn" / room for path in sources(root, "fastcnn") if (room := room_of(root, path))}
    rooms |= {path.parent for path in (root / "bench").glob("*.py")}
    for room in sorted(rooms):
        readme = room / "README.md"
        if not readme.exists():
            wrong.append(f"{room.relative_to(root)}: has no README.md")
            continue
        text = readme.read_text()
        if re.findall(r"^## (.+)$", text, re.MULTILINE) != README_HEADINGS:
            wrong.append(f"{readme.relative_to(root)}: the headings are not {', '.join(README_HEADINGS)}")
        if len(text.splitlines()) > README_LINES:
            wrong.append(f"{readme.relative_to(root)}: longer than {README_LINES} lines")
    return wrong


def op_files(root: Path) -> list[str]:
    """An op file defines its public function, `_forward` and `_backward`, in this order, and no other function."""
    wrong = []
    for path in op_paths(root):
        names = [node.name for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef)]
        if names != [path.stem, "_forward", "_backward"]:
            wrong.append(f"{path.relative_to(root)}: functions are {', '.join(names)}")
    return wrong


def op_paths(root: Path) -> list[Path]:
    """Return the files of fastcnn/ops that hold one op each."""
    paths = (root / "fastcnn" / "ops").glob("*.py")
    return sorted(path for path in paths if path.stem != "__init__" and path.stem not in NOT_OPS)


def op_company(root: Path) -> list[str]:
    """Each op has a test file, an export, a line in the changelog; what it asks of kernels has a reference and cases."""
    wrong = []
    exports = (root / "fastcnn" / "ops" / "__init__.py").read_text()
    changelog = (root / "CHANGELOG.md").read_text()
    references = {
        function: path.stem
        for path in (root / "fastcnn" / "reference").glob("*.py")
        for function in re.findall(r"^def (\w+)", path.read_text(), re.MULTILINE)
    }
    cases = (root / "tests" / "cases" / "__init__.py").read_text().lower()
    for path in op_paths(root):
        op = path.stem
        if not (root / "tests" / "ops" / f"test_{op}.py").exists():
            wrong.append(f"{op}: no tests/ops/test_{op}.py")
        for text, name in ((exports, "ops/__init__.py"), (changelog, "CHANGELOG.md")):
            if not re.search(rf"\b{op}\b", text):
                wrong.append(f"{op}: not named in {name}")
        for function in sorted(set(re.findall(r"\bkernels\.(\w+)\(", path.read_text()))):
            if function not in references:
                wrong.append(f"{op}: kernels.{function} has no reference")
            elif not re.search(rf"\b{references[function]}", cases):
                wrong.append(f"{op}: no rows for {references[function]} in tests/cases")
    return wrong


def compiled_modules(root: Path) -> list[str]:
    """Each .pyx has a .pyi beside it and a row in the table of setup.py; each row has its file."""
    table: dict = {}
    for node in ast.parse((root / "setup.py").read_text()).body:
        if isinstance(node, ast.Assign):
            exec(compile(ast.Module([node], []), "setup.py", "exec"), table)
    built = {name.replace(".", "/") for name in table["EXTENSIONS"]}
    found = {path.relative_to(root).with_suffix("").as_posix() for path in sources(root, "fastcnn", suffixes=(".pyx",))}
    wrong = [f"{name}.pyx: no row in setup.py" for name in sorted(found - built)]
    wrong += [f"setup.py: {name}.pyx does not exist" for name in sorted(built - found)]
    wrong += [f"{name}.pyx: no {name}.pyi" for name in sorted(found) if not (root / f"{name}.pyi").exists()]
    return wrong


RULES: tuple[Callable[[Path], list[str]], ...] = (
    import_arrow,
    first_lines,
    forbidden_names,
    unfinished,
    no_pickle,
    small,
    room_readmes,
    op_files,
    op_company,
    compiled_modules,
)
