"""The reactor: inbox → journal → fold → decide → effects. The main thread; it alone owns state."""
