# SPDX-License-Identifier: Apache-2.0
"""Ctrl-C and its relatives, turned into an exception at safe moments."""
import contextlib
import signal

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_held = 0
_pending = 0


class Stopped(Exception):
    """Somebody asked this run to end; `signum` says how."""

    def __init__(self, signum):
        super().__init__(signal.Signals(signum).name)
        self.signum = signum


def _arrived(signum, _frame):
    global _pending
    if _held:
        _pending = signum
    else:
        raise Stopped(signum)


def listen():
    """From now on the signals raise Stopped."""
    for signum in SIGNALS:
        signal.signal(signum, _arrived)


def ignore():
    """From now on the signals do nothing: the run is ending already."""
    for signum in SIGNALS:
        signal.signal(signum, signal.SIG_IGN)


@contextlib.contextmanager
def held_back():
    """Put a signal off while a child is being made, so none goes unknown."""
    global _held, _pending
    _held += 1
    try:
        yield
    finally:
        _held -= 1
    if _pending and not _held:
        signum, _pending = _pending, 0
        raise Stopped(signum)
