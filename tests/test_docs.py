"""tests.test_docs: links between documents lead somewhere, cited papers are listed, and the Python in documents runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from .sizes import generated

ROOT = Path(__file__).parent.parent
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "fastcnn").rglob("README.md")])
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
CITED = re.compile(r"\[([A-Z][A-Za-z]+\d{4}[a-z]?)\]")


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def anchors(text: str) -> set[str]:
    """Return the anchors that GitHub makes of the headings of a document."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken_links(path: Path) -> list[str]:
    """Return the relative links of a document whose file or heading does not exist."""
    broken = []
    for link in LINK.findall(path.read_text()):
        if re.match(r"[a-z]+:", link):
            continue
        file, _, anchor = link.partition("#")
        target = (path.parent / file).resolve() if file else path
        if not target.exists() or (anchor and anchor not in anchors(target.read_text())):
            broken.append(link)
    return broken


@pytest.mark.parametrize("path", DOCUMENTS, ids=name)
def test_links(path):
    assert broken_links(path) == []


def test_broken_links_are_found(tmp_path):
    (tmp_path / "b.md").write_text("# One heading\n")
    document = tmp_path / "a.md"
    document.write_text(
        "[x](b.md) [x](c.md) [x](b.md#one-heading) [x](b.md#two) [x](https://example.org) [x](#no)\n# yes\n[x](#yes)"
    )
    assert broken_links(document) == ["c.md", "b.md#two", "#no"]


def test_cited_papers_are_listed():
    listed = set(CITED.findall((ROOT / "docs" / "papers.md").read_text()))
    sources = [p for suffix in ("py", "pyx", "c", "h") for p in (ROOT / "fastcnn").rglob(f"*.{suffix}")]
    texts = {path: path.read_text() for path in [*sources, *DOCUMENTS] if not generated(path)}
    missing = {key: name(path) for path, text in texts.items() for key in CITED.findall(text) if key not in listed}
    assert missing == {}
    cited = {key for path, text in texts.items() if path.name != "papers.md" for key in CITED.findall(text)}
    assert listed <= cited, "listed and never cited"


@pytest.mark.parametrize("path", [p for p in DOCUMENTS if BLOCK.search(p.read_text())], ids=name)
def test_python_in_documents_runs(path, tmp_path, monkeypatch):
    """The blocks of a document run one after the other, as one program, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    text = path.read_text()
    program: dict = {"__name__": "document"}
    for block in BLOCK.finditer(text):
        lines = "\n" * text[: block.start(1)].count("\n")  # so that a traceback names the line of the document
        exec(compile(lines + block[1], str(path), "exec"), program)
