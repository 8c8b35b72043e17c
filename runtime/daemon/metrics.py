"""What is counted, for Prometheus."""

from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

NAMESPACE = "nearword"


class Metrics:
    """Of one daemon. No label holds a word of anybody, nor an address."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        """What ``/metrics`` prints."""
        self.connections = self._counter("connections", "Connections taken.", "protocol")
        self.rejected = self._counter("connections_rejected", "Connections closed at once: too many.", "protocol")
        self.streams = self._gauge("streams", "Streams that run.", "protocol")
        self.refused = self._counter("streams_refused", "Streams refused: too many.", "protocol")
        self.audio_seconds = self._counter("audio_seconds", "Audio taken.", "protocol")
        self.utterances = self._counter("utterances", "Utterances that ended, and why.", "protocol", "reason")
        self.delay = Histogram(
            "final_delay_seconds",
            "From the arrival of the audio that ended an utterance to its result.",
            namespace=NAMESPACE,
            registry=self.registry,
            buckets=(0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5),
        )
        self.errors = self._counter("protocol_errors", "Messages that no protocol knows.", "protocol")
        self.failures = self._counter("stream_failures", "Streams that ended in an error of the recogniser.")
        self.stuck = self._counter("streams_stuck", "Streams whose recogniser took no audio for too long.")
        self.names = self._gauge("home_assistant_names", "Names fetched.")
        self.home_assistant = self._gauge("home_assistant_connected", "Whether Home Assistant is connected.")

    def _counter(self, name: str, says: str, *labels: str) -> Counter:
        return Counter(name, says, _listed(labels), namespace=NAMESPACE, registry=self.registry)

    def _gauge(self, name: str, says: str, *labels: str) -> Gauge:
        return Gauge(name, says, _listed(labels), namespace=NAMESPACE, registry=self.registry)


def _listed(labels: Sequence[str]) -> list[str]:
    return list(labels)
