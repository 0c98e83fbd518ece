"""What waved and systemd say to each other. `units/` are the unit files of the repository's `systemd/`."""
