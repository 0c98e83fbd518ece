"""`wavectl top`, the live view: what happens on a daemon, as it happens, with keys to act on it.

    daemon ──► feed ──► board (what is known) ──► page (lines of text) ──► terminal
                          ▲            keys ──► controls (what is looked at, what is asked) ──► daemon

`board`, `controls`, `rows` and all of `pages` know neither a terminal nor a socket: they are values in, values out.
`feed` speaks to the daemon, `app` to the terminal, by textual, which is imported by nothing else.
"""
