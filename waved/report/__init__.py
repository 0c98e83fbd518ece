"""What is said of a whole session: a model made of its events, and renderings (requirement C3; docs/report.md)."""
