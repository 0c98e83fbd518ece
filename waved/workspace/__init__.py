"""The files agents change: snapshots and restores (R1–R5), the change feed, attribution (M1, M8).

`shadow.Shadow` is the snapshots of one workspace (docs/snapshots.md). Nothing here knows of sessions' state, events or
processes of agents.
"""
