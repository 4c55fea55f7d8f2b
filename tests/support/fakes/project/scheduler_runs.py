"""How scheduled jobs went, in memory."""

from shared.ports.operations_project import JobRun


class MemoryTimetable:
    """A Timetable that is what a test sets it to."""

    def __init__(self) -> None:
        self.kept: dict[str, dict[str, JobRun]] = {}
        """By region, then by job."""

    def regions(self) -> list[str]:
        """Every region in which there may be jobs."""
        return [*self.kept]

    def runs(self, region: str) -> dict[str, JobRun]:
        """How each job of a region went last, by its short name."""
        return {**self.kept.get(region, {})}
