"""The labels that people read in place of stored values; JSON keeps the values."""

_STATUS_LABELS = {
    "BEGUN": "Started",
    "ESCALATED": "Waiting for a decision",
    "NOT_TAKEN": "Not executed",
    "PARKED": "Waiting for approval",
    "UNNEEDED": "Not needed",
    "WATCHING": "Monitoring",
}
"""Of values that do not read well as they are."""
_SIGNAL_LABELS = {"command": "manual rollback request"}
_VERB_LABELS = {
    "accept": "Accept incident",
    "ack": "Acknowledge incident",
    "approve": "Approve rollback",
    "cancel": "Cancel rollback",
    "mark-bad": "Mark deployment as bad",
    "mark-stable": "Mark deployment as stable",
    "pause": "Pause rollbacks",
    "publish": "Publish incident",
    "reject": "Reject rollback",
    "resume": "Resume rollbacks",
    "retry": "Retry rollback",
    "root-cause": "Record root cause",
    "undo": "Undo rollback",
    "unpin": "Unpin functions",
}


def status_label(status: str) -> str:
    """Return the label of the status of an incident, a rollback, a step, a pause or an alert."""
    return _STATUS_LABELS.get(status) or status.replace("_", " ").capitalize()


def signal_label(signal: str) -> str:
    """Return the label of a signal, or of what else opened an incident."""
    return _SIGNAL_LABELS.get(signal) or signal.replace("_", " ")


def verb_label(verb: str) -> str:
    """Return what a button says that sends this command."""
    return _VERB_LABELS.get(verb) or verb.replace("-", " ").capitalize()
