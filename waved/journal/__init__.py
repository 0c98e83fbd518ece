"""The journal: every event, in one SQLite database per state folder. The only thing that is remembered."""
