"""One responder per trigger, and the scenarios that make plans."""
