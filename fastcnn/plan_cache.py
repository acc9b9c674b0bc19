"""fastcnn.plan_cache: measured choices in a JSON file, by processor, instruction set and version."""

from __future__ import annotations

import json
import os
import tempfile
import warnings
from functools import lru_cache
from importlib import import_module
from pathlib import Path

from .cpu import processor
from .errors import PerformanceWarning

FORMAT = 1
MOST_BYTES = 16 << 20  # no machine has so many shapes


def default_path() -> Path:
    """Return `fastcnn/plans.json` in the user's cache folder."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fastcnn" / "plans.json"


@lru_cache(maxsize=8)
def section(isa: str) -> str:
    """Return the name of the part of the file that holds for this processor, instruction set and version."""
    version = import_module("fastcnn").__version__
    return f"{processor()} | {isa} | fastcnn {version}"


def _text(key: tuple) -> str:
    """(op, case, dtype, threads, isa) as the text that stands in the file; the section has the isa."""
    op, case, dtype, threads, _ = key
    return f"{op} {','.join(map(str, case))} {dtype} {threads}"


def _key(text: str, isa: str) -> tuple:
    op, case, dtype, threads = text.split(" ")
    return op, tuple(int(n) for n in case.split(",")), dtype, int(threads), isa


def _read(path: Path) -> dict[str, dict[str, str]]:
    """Return the sections of a file; none, and a warning, when it is not what it should be."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ValueError(f"larger than {MOST_BYTES} bytes")
        document = json.loads(path.read_text())
        if not isinstance(document, dict) or document.get("format") != FORMAT:
            raise ValueError(f"not a file of format {FORMAT}")
        plans = document["plans"]
        for part in plans.values():
            for text, name in part.items():
                _key(text, "")
                if not isinstance(name, str):
                    raise ValueError(f"the choice for {text!r} is not a name")
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, AttributeError, RecursionError) as error:
        warnings.warn(f"plan cache {path} is ignored: {error}", PerformanceWarning, stacklevel=6)
        return {}
    return plans


def load(path: Path, isa: str) -> dict[tuple, str]:
    """Return the choices that hold here."""
    return {_key(text, isa): name for text, name in _read(path).get(section(isa), {}).items()}


def store(path: Path, key: tuple, name: str) -> None:
    """Add one choice: read, add, write beside, replace. Two processes at once may lose one of theirs, never the file."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a broken file has been reported when it was loaded
        plans = _read(path)
    plans.setdefault(section(key[-1]), {})[_text(key)] = name
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=path.name, suffix=".tmp", delete=False) as file:
            temporary = Path(file.name)
            json.dump({"format": FORMAT, "plans": plans}, file, indent=1, sort_keys=True)
        temporary.replace(path)
    except OSError as error:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        warnings.warn(f"plan cache {path} cannot be written: {error}", PerformanceWarning, stacklevel=6)
