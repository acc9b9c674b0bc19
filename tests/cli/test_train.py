"""tests.cli.test_train: `fastcnn train` stops at Ctrl-C, resumes exactly, and logs."""

import csv
import json
import os
import re
import signal
import subprocess
import sys

import pytest

from fastcnn import cli, train
from fastcnn.threads import get_num_threads, set_num_threads


@pytest.fixture(autouse=True)
def one_thread():
    """A busy machine makes two threads wait for each other; what commands do is the same with one."""
    before = get_num_threads()
    set_num_threads(1)
    yield
    set_num_threads(before)


def arguments(path, *options):
    return ["train", "--epochs", "3", "--limit", "160", "--batch-size", "32", "--output", str(path), *map(str, options)]


class StopAt(train.Callback):
    """Presses Ctrl-C after a step."""

    def __init__(self, step):
        self.at = step

    def on_step_end(self, trainer):
        if trainer.step == self.at:
            signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize("step", [3, 5, 12])
def test_resume_gives_the_same_file(tmp_path, capsys, monkeypatch, step):
    assert cli.main(arguments(tmp_path / "whole", "--log", tmp_path / "whole.csv")) == 0
    init = train.Trainer.__init__

    def stopping(self, *given, callbacks, **options):
        init(self, *given, callbacks=[*callbacks, StopAt(step)], **options)

    with monkeypatch.context() as patch:
        patch.setattr(train.Trainer, "__init__", stopping)
        options = ["--checkpoint", tmp_path / "c", "--log", tmp_path / "log.csv"]
        assert cli.main(arguments(tmp_path / "m", *options)) == 130
    assert f"stopped after {step} steps; the same command with --resume {tmp_path / 'c'} goes on" in capsys.readouterr().out
    assert not (tmp_path / "m").exists()
    assert cli.main(arguments(tmp_path / "m", "--resume", tmp_path / "c", "--log", tmp_path / "log.csv")) == 0
    assert (tmp_path / "m").read_bytes() == (tmp_path / "whole").read_bytes()
    whole, resumed = (list(csv.DictReader((tmp_path / name).open())) for name in ("whole.csv", "log.csv"))
    assert [{**row, "seconds": 0} for row in whole] == [{**row, "seconds": 0} for row in resumed]


def test_log_as_lines_of_json(tmp_path, capsys):
    assert cli.main(arguments(tmp_path / "m", "--log", tmp_path / "log.jsonl")) == 0
    assert [json.loads(line)["epoch"] for line in (tmp_path / "log.jsonl").read_text().splitlines()] == [1, 2, 3]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--log", "log.txt"], "--log must end in .csv or .jsonl, got log.txt"),
        (["--resume", "absent"], "No such file"),
        (["--resume", "c", "--lr", "0.1"], "the run was started with --lr 0.05, this one has 0.1"),
        (["--resume", "c", "--epochs", "4"], "the run was started with --epochs 3, this one has 4"),
        (["--resume", "c", "--batch-size", "16"], "batch_size is 16 here and 32 in the state"),
        (["--resume", "c", "--model", "vgg_small"], "load_state_dict"),
        (["--resume", "m"], "is not a checkpoint"),
    ],
)
def test_what_cannot_be_resumed(tmp_path, capsys, monkeypatch, options, text):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["train", "--epochs", "3", "--limit", "64", "--batch-size", "32", "--output", "m", "--checkpoint", "c"]) == 0
    capsys.readouterr()
    assert cli.main(["train", "--epochs", "3", "--limit", "64", "--batch-size", "32", "--output", "n", *options]) == 1
    error = capsys.readouterr().err
    assert error.startswith("fastcnn train: ") and text in error and error.count("\n") == 1


def test_ctrl_c_in_a_process_of_its_own(tmp_path):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "fastcnn", "train", "--epochs", "1000", "--checkpoint", str(tmp_path / "c")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, text=True) as process:
        assert process.stdout.readline().startswith("epoch 1")
        process.send_signal(signal.SIGINT)
        out, error = process.communicate()
    assert process.returncode == 130 and error == ""
    steps = int(re.search(r"stopped after (\d+) steps", out)[1])
    assert train.load_checkpoint(tmp_path / "c")["run"]["step"] == steps
