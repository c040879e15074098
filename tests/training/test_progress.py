import logging
import sys

import pytest

from generalization.training import progress
from generalization.training.progress import shown_progress


def test_without_terminal_lines_of_the_log_tell(caplog, monkeypatch):
    monkeypatch.setattr(progress, "LOG_SECONDS", 0.0)
    with caplog.at_level(logging.INFO), shown_progress("digits-0123abcd", 8) as report:
        report(0, 0.1234)
        report(3, 0.5)
    assert caplog.messages == [
        "digits-0123abcd: 0 of 8 networks trained, 12 % of the steps allowed.",
        "digits-0123abcd: 3 of 8 networks trained, 50 % of the steps allowed.",
    ]


def test_lines_are_seconds_apart_except_the_last(caplog):
    with caplog.at_level(logging.INFO), shown_progress("digits-0123abcd", 2) as report:
        for _ in range(100):
            report(1, 0.5)
        report(2, 1.0)
    assert caplog.messages == [
        "digits-0123abcd: 2 of 2 networks trained, 100 % of the steps allowed."
    ]


def test_on_a_terminal_there_is_a_bar(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with shown_progress("digits-0123abcd", 2) as report:
        report(1, 0.5)
        report(2, 1.0)
    captured = capsys.readouterr()
    assert "digits-0123abcd: 2 of 2 networks trained" in captured.err
    assert captured.out == ""


def test_an_error_passes_through_the_bar(monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with pytest.raises(ZeroDivisionError), shown_progress("digits-0123abcd", 2):
        raise ZeroDivisionError
