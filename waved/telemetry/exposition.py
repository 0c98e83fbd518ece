"""A reading as the text that Prometheus takes (its own format, or OpenMetrics where it is asked for)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import accumulate

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from waved.telemetry.catalogue import FIGURES
from waved.telemetry.counts import Reading


class _Figures(Collector):
    def __init__(self, reading: Reading) -> None:
        self._reading = reading

    def collect(self) -> Iterable[Metric]:
        return families(self._reading)


def families(reading: Reading) -> Iterator[Metric]:
    """The figures of the catalogue, those without a value left out."""
    for name, figure in FIGURES.items():
        values = [(labels, value) for (of, labels), value in reading.values.items() if of == name]
        if figure.kind == "histogram":
            histogram = HistogramMetricFamily(name, figure.help, labels=figure.labels)
            bounds = [*(f"{bound:g}" for bound in figure.buckets), "+Inf"]
            for (of, labels), heap in reading.heaps.items():
                if of == name:
                    buckets = list(zip(bounds, accumulate(heap.counts), strict=True))
                    histogram.add_metric(labels, buckets, heap.total)
            yield histogram
            continue
        kind = GaugeMetricFamily if figure.kind == "gauge" else CounterMetricFamily
        family = kind(name, figure.help, labels=figure.labels)
        for labels, value in sorted(values):
            family.add_metric(labels, value)
        yield family


def render(reading: Reading, accept: str = "") -> tuple[str, bytes]:
    """Content type and text, with figures of the process itself (`process_…`). `accept`: the header of the request."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Figures(reading))
    ProcessCollector(registry=registry)
    encode, content_type = choose_encoder(accept)
    return content_type, encode(registry)
