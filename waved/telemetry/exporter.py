"""Traces of sessions that have ended, sent to an OpenTelemetry collector (OTLP over HTTP) by a thread of its own.

The journal is the queue: `traces` in the state folder holds the number of the last end that was sent, so nothing is
lost when the daemon or the collector is away for a while, and nothing is kept in memory. Needs the extra `waved[otel]`.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import structlog

from waved.domain.events import SessionEnded
from waved.errors import ConfigError
from waved.journal.rows import events_of
from waved.journal.salvage import read_only
from waved.telemetry.spans import Span, Trace, trace_of
from waved.version import __version__

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace.export import SpanExporter

CURSOR = "traces"
"""The file in the state folder."""
TIMEOUT = 10.0
"""Seconds a collector has for what it is sent."""
BATCH = 500
"""Spans in one request."""
FIRST_PAUSE, LONGEST_PAUSE = 30.0, 600.0
"""Seconds before a collector that did not take a trace is tried again; doubled each time."""

log = structlog.get_logger("waved")


def require() -> None:
    """Raises ConfigError when the extra is not installed."""
    try:
        import opentelemetry.exporter.otlp.proto.http.trace_exporter
        import opentelemetry.sdk.trace  # noqa: F401
    except ImportError:
        raise ConfigError("traces: OpenTelemetry is not installed", "pip install 'waved[otel]'") from None


def url_of(endpoint: str) -> str:
    """Where traces go: below the collector's address, as OpenTelemetry has it, unless a path is given."""
    return endpoint if urlsplit(endpoint).path.strip("/") else endpoint.rstrip("/") + "/v1/traces"


class Exporter:
    """Sends a trace for each session that ends from now on, and those whose end was not sent before."""

    def __init__(self, journal: Path, cursor: Path, last_seq: int, endpoint: str, pause: float = FIRST_PAUSE) -> None:
        """`last_seq`: of the journal. `pause`: before a failed request is repeated for the first time."""
        self._journal = journal
        self._cursor = cursor
        self._endpoint = endpoint
        self._first_pause = pause
        self._sent = self._recall(last_seq)
        self._news = threading.Event()
        self._news.set()  # what ended while nobody looked
        self._ending = threading.Event()
        self._failing = False
        self._thread = threading.Thread(target=self._run, name="waved-traces", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def ended(self) -> None:
        """A session has ended, and the journal has it. From any thread."""
        self._news.set()

    def close(self) -> None:
        """Send no more; what was not sent is for the next daemon. Waits for nothing."""
        self._ending.set()
        self._news.set()

    def _recall(self, last_seq: int) -> int:
        with contextlib.suppress(OSError, ValueError):
            return min(int(self._cursor.read_text()), last_seq)
        self._remember(last_seq)  # switched on just now: what ended before is nobody's wish
        return last_seq

    def _remember(self, seq: int) -> None:
        self._sent = seq
        fresh = self._cursor.with_suffix(".new")
        try:
            fresh.write_text(f"{seq}\n")
            fresh.replace(self._cursor)
        except OSError:
            pass  # a full disk: at worst a trace is sent twice, with the same ids

    # --- the thread ---------------------------------------------------------------------------------------------

    def _run(self) -> None:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        quiet = logging.getLogger("opentelemetry")
        quiet.propagate = False  # it is told here, once
        quiet.addHandler(logging.NullHandler())
        exporter = OTLPSpanExporter(endpoint=url_of(self._endpoint), timeout=TIMEOUT)
        pause = self._first_pause
        while not self._ending.is_set():
            self._news.wait()
            self._news.clear()
            while not self._ending.is_set() and not self._send_all(exporter):
                self._ending.wait(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
            pause = self._first_pause

    def _send_all(self, exporter: SpanExporter) -> bool:
        """Send what is due; False when the collector did not take something."""
        try:
            for seq, session in self._due():
                if self._ending.is_set():
                    return True
                if not self._send(exporter, seq, session):
                    return False
                self._remember(seq)
        except (OSError, sqlite3.Error) as error:
            self._failed(f"the journal cannot be read: {error}")
            return False
        return True

    def _due(self) -> list[tuple[int, str]]:
        with closing(read_only(self._journal)) as db:
            wanted = "SELECT seq, session FROM events WHERE seq > ? AND kind = ? ORDER BY seq"
            return [(int(seq), str(session)) for seq, session in db.execute(wanted, (self._sent, SessionEnded.kind))]

    def _send(self, exporter: SpanExporter, seq: int, session: str) -> bool:
        try:
            with closing(read_only(self._journal)) as db:
                trace = trace_of(takewhile(lambda event: event.seq <= seq, events_of(db, session)))
        except ValueError as error:
            log.warning("trace.skipped", session=session, problem=str(error))
            return True
        for batch in _batches(trace):
            try:
                result = exporter.export(batch)
            except Exception as error:  # noqa: BLE001 — a library's defect is told, and ends nothing
                self._failed(f"{type(error).__name__}: {error}")
                return False
            if result.name != "SUCCESS":
                self._failed("the collector did not take it")
                return False
        if self._failing:
            self._failing = False
            log.info("traces.sent", endpoint=self._endpoint, note="the collector takes traces again")
        return True

    def _failed(self, problem: str) -> None:
        if not self._failing and not self._ending.is_set():
            self._failing = True
            log.warning("traces.unsent", endpoint=self._endpoint, problem=problem, note="tried again, without a word")


def _batches(trace: Trace) -> Iterator[Sequence[ReadableSpan]]:
    from opentelemetry.sdk.resources import Resource

    resource = Resource({"service.name": "waved", "service.version": __version__, "process.pid": os.getpid()})
    spans = trace.spans
    for first in range(0, len(spans), BATCH):
        yield [_readable(trace.id, span, resource) for span in spans[first : first + BATCH]]


def _readable(trace: int, span: Span, resource: object) -> ReadableSpan:
    from opentelemetry.sdk.trace import Event, ReadableSpan
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope
    from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

    def context(span_id: int) -> SpanContext:
        return SpanContext(trace, span_id, is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED))

    code = {True: StatusCode.OK, False: StatusCode.ERROR, None: StatusCode.UNSET}[span.ok]
    return ReadableSpan(
        span.name,
        context(span.id),
        context(span.parent) if span.parent is not None else None,
        resource,  # type: ignore[arg-type]
        attributes=span.attributes,
        events=[Event(name, facts, _nanoseconds(when)) for name, when, facts in span.notes],
        kind=SpanKind.INTERNAL,
        status=Status(code, span.reason or None if code is StatusCode.ERROR else None),
        start_time=_nanoseconds(span.start),
        end_time=_nanoseconds(span.end if span.end is not None else span.start),
        instrumentation_scope=InstrumentationScope("waved", __version__),
    )


def _nanoseconds(seconds: float) -> int:
    return round(seconds * 1e9)
