"""Stop or restart: read from systemd's list of jobs."""

from __future__ import annotations

from waved.service.job import STARTING_AGAIN, kind_in, kind_of_job

LISTED = """\
  7 other.service       restart running
141 waved.service       {} running
142 waved@x.service     stop    waiting
"""


def test_the_units_own_job_counts() -> None:
    assert kind_in(LISTED.format("stop"), "waved.service") == "stop"
    assert kind_in(LISTED.format("restart"), "waved.service") in STARTING_AGAIN
    assert kind_in(LISTED, "waved") == ""
    assert kind_in("No jobs running.\n", "waved.service") == ""


def test_outside_a_unit_there_is_no_job() -> None:
    assert kind_of_job({}) == ""
    assert kind_of_job({"WAVED_UNIT": "waved-that-is-not-there.service", "MANAGERPID": "1"}) == ""
