"""tests.bench.test_limits: how busy the machine is, from the ticks of /proc/stat, and patience that ends."""

from __future__ import annotations

import time

from bench import limits


def test_share_of_busy_ticks(monkeypatch):
    ticks = iter([(100, 1000), (130, 1040)])
    monkeypatch.setattr(limits, "_ticks", lambda: next(ticks))
    assert limits.others(0.0) == 0.75


def test_ticks_only_grow():
    first = limits._ticks()
    time.sleep(0.05)
    second = limits._ticks()
    assert 0 <= first[0] <= second[0] and first[1] <= second[1] and second[0] <= second[1]


def test_patience(monkeypatch):
    shares = iter([0.9, 0.5, 0.05])
    monkeypatch.setattr(limits, "others", lambda: next(shares))
    limits.wait_until_idle(60.0)
    assert next(shares, None) is None
    monkeypatch.setattr(limits, "others", lambda: 1.0)
    start = time.monotonic()
    limits.wait_until_idle(0.05)
    assert time.monotonic() - start < 5.0
