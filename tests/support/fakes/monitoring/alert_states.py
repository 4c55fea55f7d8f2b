"""What Cloud Monitoring says of its alerts, in memory."""

from shared.core.errors import Rejected
from tests.support.fakes.runtime.hooks import Hook, ask_hook_around, no_hook


class FakeAlertStates:
    """An AlertStates over `open` (id to whether it is open); verb for the hook: alerts.is_open."""

    def __init__(self, hook: Hook = no_hook) -> None:
        self.hook = hook
        self.open: dict[str, bool] = {}

    def is_open(self, alert: str) -> bool:
        """Whether it is open. Raises: Rejected for an unknown one."""
        with ask_hook_around(self.hook, "alerts.is_open"):
            if alert not in self.open:
                raise Rejected(f"there is no alert {alert}")
            return self.open[alert]
