"""The pure core: no I/O, no clock, no threads. Events are folded into state; `decide` says what follows."""
