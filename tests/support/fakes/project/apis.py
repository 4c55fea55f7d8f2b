"""Which APIs are on, in memory."""


class MemoryApis:
    """An Apis of projects that have every API on but those that a test switches off."""

    def __init__(self) -> None:
        self.off: set[tuple[str, str]] = set()
        """Project and API."""

    def is_on(self, project: str, service: str) -> bool:
        """Whether a project has an API switched on."""
        return (project, service) not in self.off
