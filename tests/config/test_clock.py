"""How a time that has passed reads."""

from config.clock import duration


def test_seconds_read_as_minutes_and_hours():
    assert [duration(seconds) for seconds in (-1, 0, 38, 724.9, 3723)] == ["0:00", "0:00", "0:38", "12:04", "1:02:03"]


def test_a_duration_that_nobody_knows_reads_as_the_page_wants_it():
    assert (duration(None), duration(None, unknown="")) == ("–", "")
