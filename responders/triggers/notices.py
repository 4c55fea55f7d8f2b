"""on_notice: send a notice, or write a status page."""

from responders.notices.delivery import NoticeDelivery
from responders.notices.status_page import StatusPageWriter
from shared.core.pubsub_message import PubSubMessage
from shared.domain.policy.system_policy import Policies
from shared.ports.groups import Ports
from shared.state import work_queue


class NoticesTrigger:
    """Dispatches what is due on rollback-notices: one notice or one page per message."""

    def __init__(self, ports: Ports, policies: Policies) -> None:
        self._delivery = NoticeDelivery(ports, policies)
        self._showing = StatusPageWriter(ports, policies)

    def receive(self, message: PubSubMessage) -> None:
        """Return once the notice or the page is handled. Raises: Refused, Unavailable."""
        due = work_queue.parse_work_item(message.data, work_queue.NOTICE, work_queue.STATUS_PAGE)
        if due.kind == work_queue.STATUS_PAGE:
            self._showing.write_page(due)
        else:
            self._delivery.deliver(due.id)
