"""tests.bench.test_interleave: functions take turns, and medians and ratios are what the clock says."""

from __future__ import annotations

import time

import pytest

from bench.interleave import Rounds, calibrate, interleave


class Clock:
    """A clock that only the timed functions move."""

    def __init__(self, monkeypatch):
        self.now = 0.0
        monkeypatch.setattr(time, "perf_counter", lambda: self.now)
        monkeypatch.setattr(time, "sleep", lambda seconds: None)

    def taking(self, seconds: float, log: list[str], name: str):
        def function():
            self.now += seconds
            log.append(name)

        return function


@pytest.fixture
def clock(monkeypatch) -> Clock:
    return Clock(monkeypatch)


def test_functions_take_turns(clock):
    log: list[str] = []
    rounds = Rounds({"a": clock.taking(1.0, log, "a"), "b": clock.taking(2.0, log, "b")})
    log.clear()
    rounds.run()
    rounds.run()
    # one call outside the clock, one block of one call
    assert log == ["a", "a", "b", "b"] * 2


def test_medians_and_ratios(clock):
    log: list[str] = []
    rounds = interleave({"ours": clock.taking(0.25, log, "o"), "peer": clock.taking(0.5, log, "p")}, seconds=0.1, least=4)
    assert rounds.medians() == {"ours": 0.25, "peer": 0.5}
    assert rounds.ratios("ours") == {"peer": 2.0}
    assert len(rounds.seconds["ours"]) == len(rounds.seconds["peer"]) == 4


def test_a_slow_phase_hits_all_alike(clock):
    """The machine is ten times slower in every other round; the ratio does not notice."""
    factor = [1.0]

    def taking(seconds):
        def function():
            clock.now += seconds * factor[0]

        return function

    rounds = Rounds({"ours": taking(0.25), "peer": taking(0.75)})
    for i in range(7):
        factor[0] = 10.0 if i % 2 else 1.0
        rounds.run()
    assert rounds.ratios("ours") == {"peer": 3.0}


def test_calibrate_fills_a_block(clock):
    loops, seconds = calibrate(clock.taking(0.001, [], ""), block=0.01)
    assert loops == 10 and seconds == pytest.approx(0.01)
    assert calibrate(clock.taking(5.0, [], ""), block=0.01)[0] == 1
