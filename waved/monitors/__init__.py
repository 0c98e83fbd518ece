"""Monitors: what is seen in the workspace while agents work (requirements M2, M6, P2). They only report."""
