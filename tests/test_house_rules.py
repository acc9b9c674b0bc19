"""tests.test_house_rules: the tree keeps the rules of the house, and each rule finds a violation planted in a small tree."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fastcnn.kernels import select

from . import house_rules
from .sizes import EXCEPTIONS, ROOT, sizes

README = "# room\n## What lives here\n## May import\n## To add one\n## Not here\n"
OP = '"""ops.scale: y = 2 x."""\ndef scale(x): ...\ndef _forward(x): return kernels.scale(x)\ndef _backward(dy): ...\n'
# A tree that keeps all rules, as small as they allow.
CLEAN = {
    "setup.py": 'KERNELS = "fastcnn/kernels"\nEXTENSIONS = {f"{KERNELS}/scale": []}\n',
    "CHANGELOG.md": "- ops: scale\n",
    "fastcnn/__init__.py": '"""fastcnn: a library."""\nfrom . import ops\n',
    "fastcnn/errors.py": '"""fastcnn.errors: exceptions."""\n',
    "fastcnn/reference/__init__.py": '"""fastcnn.reference: truth."""\n',
    "fastcnn/reference/scale.py": '"""reference.scale: y = 2 x."""\nfrom ..errors import x\ndef scale(x): ...\n',
    "fastcnn/reference/README.md": README,
    "fastcnn/kernels/scale.pyx": '"""kernels.scale: y = 2 x."""\nfrom fastcnn.reference cimport scale\n',
    "fastcnn/kernels/scale.pyi": "def scale(x): ...\n",
    "fastcnn/kernels/README.md": README,
    "fastcnn/ops/__init__.py": '"""fastcnn.ops: calculus."""\nfrom .scale import scale\n',
    "fastcnn/ops/scale.py": OP,
    "fastcnn/ops/README.md": README,
    "tests/cases/__init__.py": '"""tests.cases: rows."""\nSCALE = ()\n',
    "tests/ops/test_scale.py": '"""tests.ops.test_scale: y = 2 x."""\n',
}
# (rule, what it says, the file to change, its new text or None to remove it)
PLANTED = [
    (
        "import_arrow",
        "kernels imports ops",
        "fastcnn/kernels/scale.pyx",
        '"""kernels.scale: ."""\nfrom fastcnn.ops cimport scale\n',
    ),
    ("import_arrow", "autograd imports kernels", "fastcnn/autograd/tape.py", '"""autograd.tape: ."""\nfrom .. import kernels\n'),
    ("import_arrow", "reference imports nn", "fastcnn/reference/scale.py", '"""reference.scale: ."""\nfrom ..nn.conv import C\n'),
    ("import_arrow", "public face", "fastcnn/ops/scale.py", '"""ops.scale: ."""\nimport fastcnn as fc\n'),
    ("import_arrow", "fastcnn imports ops", "fastcnn/errors.py", '"""fastcnn.errors: ."""\ndef f():\n    import fastcnn.ops\n'),
    ("first_lines", "does not start", "fastcnn/ops/scale.py", '"""Scaling."""\n'),
    ("forbidden_names", "says nothing", "fastcnn/ops/utils.py", '"""ops.utils: ."""\n'),
    ("unfinished", "make it fast", "fastcnn/ops/scale.py", OP + "# TO" + "DO make it fast\n"),
    ("no_pickle", "imports pickle", "fastcnn/io/load.py", '"""io.load: ."""\nimport pickle\n'),
    ("no_pickle", "allow_pickle", "fastcnn/io/load.py", '"""io.load: ."""\nx = load(f, allow_pickle=True)\n'),
    ("small", "301 lines", "fastcnn/ops/scale.py", '"""ops.scale: ."""\n' + "x = 1\n" * 300),
    ("small", "f has 61 lines", "fastcnn/errors.py", '"""fastcnn.errors: ."""\ndef f():\n' + "    x = 1\n" * 60),
    ("small", "f has 91 lines", "fastcnn/kernels/scale.pyx", '"""."""\ncdef int f(int x):\n' + "    x = 1\n" * 90 + "y = 1\n"),
    ("small", "f has 93 lines", "fastcnn/kernels/ukr/a.c", "int f(int x)\n{\n" + "    x = 1;\n" * 90 + "}\n"),
    ("room_readmes", "has no README", "fastcnn/ops/README.md", None),
    ("room_readmes", "headings", "fastcnn/ops/README.md", README.replace("Not here", "Else")),
    ("room_readmes", "longer", "fastcnn/ops/README.md", README + "\n" * 30),
    ("op_files", "_forward, _backward, more", "fastcnn/ops/scale.py", OP + "def more(): ...\n"),
    ("op_company", "no reference", "fastcnn/reference/scale.py", None),
    ("op_company", "no tests/ops", "tests/ops/test_scale.py", None),
    ("op_company", "no rows", "tests/cases/__init__.py", '"""tests.cases: rows."""\n'),
    ("op_company", "ops/__init__.py", "fastcnn/ops/__init__.py", '"""fastcnn.ops: calculus."""\n'),
    ("op_company", "CHANGELOG.md", "CHANGELOG.md", "\n"),
    ("compiled_modules", "no row", "fastcnn/kernels/other.pyx", '"""kernels.other: ."""\n'),
    ("compiled_modules", "does not exist", "fastcnn/kernels/scale.pyx", None),
    ("compiled_modules", "scale.pyi", "fastcnn/kernels/scale.pyi", None),
]


def plant(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.mark.parametrize("rule", house_rules.RULES, ids=lambda rule: rule.__name__)
def test_tree_keeps(rule):
    wrong = rule(ROOT)
    assert not wrong, "\n".join([rule.__doc__, *wrong])


@pytest.mark.parametrize("rule", house_rules.RULES, ids=lambda rule: rule.__name__)
def test_clean_tree_keeps(rule, tmp_path):
    plant(tmp_path, CLEAN)
    assert rule(tmp_path) == []


@pytest.mark.parametrize(("rule", "says", "name", "text"), PLANTED, ids=[f"{row[0]}-{row[1]}" for row in PLANTED])
def test_planted_violation_is_found(rule, says, name, text, tmp_path):
    plant(tmp_path, CLEAN)
    if text is None:
        (tmp_path / name).unlink()
    else:
        plant(tmp_path, {name: text})
    wrong = getattr(house_rules, rule)(tmp_path)
    assert any(says in line for line in wrong), wrong


def test_every_rule_has_a_planted_violation():
    assert {row[0] for row in PLANTED} == {rule.__name__ for rule in house_rules.RULES}


@pytest.mark.parametrize("op", select.OPS)
def test_last_implementation_is_the_reference(op):
    assert select.OPS[op][-1].name == "reference"
    texts = [path.read_text() for path in (ROOT / "fastcnn" / "reference").glob("*.py")]
    assert any(re.search(rf"^def {op}\(", text, re.MULTILINE) for text in texts)


def test_size_exceptions_are_needed():
    lines = {size.path: (size.lines, size.function_lines) for size in sizes()}
    for path, (file_bound, function_bound, reason) in EXCEPTIONS.items():
        assert path in lines, f"{path} is gone: remove its exception"
        assert lines[path][0] <= file_bound and lines[path][1] <= function_bound
        assert reason
