"""The files agents change: snapshots and restores (R1–R5), the change feed, attribution (M1, M8)."""
