"""cli.record: what `fastcnn train` writes while it runs: checkpoints and logs."""

from __future__ import annotations

from pathlib import Path

from .. import train
from ..errors import ArgumentError, StateError

LOGS = {".csv": train.CSVLog, ".jsonl": train.JSONLinesLog}
FIXED = ("dataset", "model", "epochs", "lr", "label_smoothing", "seed")


class FixedOptions(train.Callback):
    """Puts into checkpoints the options that decide what run it is, and refuses to resume with others."""

    def __init__(self, args):
        self.options = {name: getattr(args, name) for name in FIXED}

    def state_dict(self) -> dict:
        return self.options

    def load_state_dict(self, state: dict) -> None:
        for name, value in self.options.items():
            if state.get(name) != value:
                option = "--" + name.replace("_", "-")
                raise StateError(f"the run was started with {option} {state.get(name)}, this one has {value}")


def callbacks(args, checkpoint: str | None) -> list[train.Callback]:
    """Return the callbacks that the options of the command ask for."""
    made: list[train.Callback] = [FixedOptions(args)]
    if args.log:
        suffix = Path(args.log).suffix
        if suffix not in LOGS:
            raise ArgumentError(f"--log must end in {' or '.join(LOGS)}, got {args.log}")
        made.append(LOGS[suffix](args.log))
    if checkpoint:
        made.append(train.Checkpoint(checkpoint))
    return made
