"""One file an agent program: its command line and environment. Imported by the zygote, so it imports little."""
