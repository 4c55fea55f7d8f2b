"""How Cloud Monitoring is set up, in memory."""

from shared.core.errors import Rejected
from shared.ports.operations_project import Metric, MetricQuery


class MemoryMonitoring:
    """A Monitoring that is what a test sets it to."""

    def __init__(self) -> None:
        self.alerts: list[MetricQuery] = []
        self.pages: list[MetricQuery] = []
        self.known: dict[str, Metric] = {}
        self.measured_on: dict[str, frozenset[str]] = {}
        self.answered: dict[str, int] = {}
        """Series by query: any other is none."""

    def policies(self) -> list[MetricQuery]:
        """All alert policies."""
        return [*self.alerts]

    def dashboards(self) -> list[MetricQuery]:
        """All dashboards."""
        return [*self.pages]

    def metric(self, name: str) -> Metric | None:
        """A metric by its type; None: it is not known."""
        return self.known.get(name)

    def resource(self, name: str) -> frozenset[str] | None:
        """The labels of a type of monitored resource; None: it is not known."""
        return self.measured_on.get(name)

    def series(self, query: str) -> int:
        """How many series a query answers with."""
        if query not in self.answered:
            raise Rejected(f"{query} is no query")
        return self.answered[query]
