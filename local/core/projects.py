"""Which id a project's number stands for: Google knows each project by both."""

from local.application.names import project_number


class ProjectDirectory:
    """The projects that somebody has named by their ids."""

    def __init__(self) -> None:
        self._ids: dict[str, str] = {}

    def resolve(self, project: str) -> str:
        """Return the id of a project; a number that is nobody's stays."""
        if not project.isdigit():
            self._ids[str(project_number(project))] = project
        return self._ids.get(project, project)
