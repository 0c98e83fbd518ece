"""How a daemon is watched from outside: figures for Prometheus, traces for OpenTelemetry. Off by default."""
