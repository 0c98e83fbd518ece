"""Every figure that `/metrics` tells: its name, kind, labels and meaning. docs/operations.md has the same as a table.

No label names a session, an agent or a run: how many series there are does not grow with what is done. What comes from
plans (programs, monitors, providers) is bounded by `MOST_VALUES`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["gauge", "counter", "histogram"]
MOST_VALUES = 40
"""Values of one label that are told apart; all further ones are `OTHER`."""
OTHER = "other"

_QUICK = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)
_SHORT = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 30.0)
_LONG = (1.0, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 1800.0, 3600.0, 7200.0)


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure. Counters are named without `_total`, which Prometheus's text adds."""

    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


FIGURES: dict[str, Figure] = {
    # What is there now.
    "waved_build_info": Figure("gauge", "1; the label says which version this is.", ("version",)),
    "waved_start_time_seconds": Figure("gauge", "When this daemon started, in unix seconds."),
    "waved_sessions": Figure("gauge", "Sessions that go on: checking, running, held, stopping.", ("state",)),
    "waved_agents": Figure(
        "gauge", "Assignments of these sessions: waiting, running, succeeded, failed, skipped.", ("state",)
    ),
    "waved_runs": Figure("gauge", "Runs that have not ended: starting, running, stopping.", ("purpose", "state")),
    "waved_findings_open": Figure("gauge", "Findings that are open."),
    "waved_workers": Figure("gauge", "Worker processes: busy with a run, or warm.", ("state",)),
    "waved_problems": Figure("gauge", "What is wrong with the daemon, as `wavectl daemon status` tells."),
    # What has happened since this daemon started.
    "waved_sessions_submitted": Figure("counter", "Sessions submitted."),
    "waved_sessions_ended": Figure("counter", "Sessions ended, by outcome.", ("outcome",)),
    "waved_waves_ended": Figure("counter", "Waves ended, by outcome.", ("outcome",)),
    "waved_gates_ended": Figure("counter", "Gates ended; `of`: wave or assignment.", ("of", "verdict")),
    "waved_assignments_ended": Figure("counter", "Assignments ended, by outcome.", ("program", "outcome")),
    "waved_retries": Figure("counter", "Failed attempts that are repeated.", ("program",)),
    "waved_runs_started": Figure("counter", "Programs exec'ed.", ("purpose", "program")),
    "waved_runs_ended": Figure(
        "counter",
        "Runs ended: succeeded, failed, oom, or the outcome as the journal has it.",
        ("purpose", "program", "outcome"),
    ),
    "waved_run_cpu_seconds": Figure("counter", "Processor time that ended runs have used.", ("purpose", "program")),
    "waved_output_bytes": Figure("counter", "Bytes that ended runs have printed.", ("purpose", "program")),
    "waved_tokens": Figure("counter", "Tokens; `kind`: input (with cached ones), output, cached.", ("program", "kind")),
    "waved_cost_dollars": Figure("counter", "US dollars, as far as programs tell them.", ("program",)),
    "waved_provider_limits": Figure("counter", "How often a provider refused calls.", ("provider",)),
    "waved_stalls": Figure("counter", "Runs of which nothing was seen for too long.", ("program",)),
    "waved_findings": Figure("counter", "Findings made.", ("monitor", "severity")),
    "waved_findings_cleared": Figure("counter", "Findings cleared."),
    "waved_reactions": Figure("counter", "Actions of reactions that were begun.", ("action",)),
    "waved_reactions_failed": Figure("counter", "Reactions that could not be carried out."),
    "waved_rollbacks": Figure("counter", "Restores of files, done (`ok` true) or not.", ("ok",)),
    "waved_files_restored": Figure("counter", "Files restored or removed by rollbacks."),
    "waved_snapshots": Figure("counter", "Snapshots of workspaces, taken (`ok` true) or not.", ("ok",)),
    "waved_files_changed": Figure("counter", "Changes of files seen in workspaces."),
    "waved_alerts": Figure("counter", "Findings that are told to whom plans name in `[[notify]]`.", ("severity",)),
    "waved_alerts_sent": Figure("counter", "Notifications, by whether they went out.", ("ok",)),
    "waved_preview_failures": Figure("counter", "How often a preview went down."),
    "waved_events": Figure("counter", "Events journalled, by kind.", ("kind",)),
    "waved_requests": Figure("counter", "Requests of clients; `result`: ok, or an error's code.", ("method", "result")),
    "waved_defects": Figure("counter", "Defects in waved itself that were caught and logged."),
    "waved_journal_events": Figure("counter", "Events in the journal: goes on over restarts."),
    # How long things took.
    "waved_run_seconds": Figure("histogram", "From exec to end.", ("purpose", "program"), _LONG),
    "waved_start_skew_seconds": Figure(
        "histogram", "Between the first and the last exec of agents that started together.", (), _QUICK
    ),
    "waved_restore_seconds": Figure("histogram", "How long a rollback's restore took.", (), _SHORT),
    "waved_snapshot_seconds": Figure("histogram", "How long a snapshot took.", (), _SHORT),
    "waved_journal_commit_seconds": Figure("histogram", "How long the journal's commit took.", (), _QUICK),
    "waved_turn_seconds": Figure("histogram", "How long the reactor's turns took.", (), _QUICK),
}  # fmt: skip
