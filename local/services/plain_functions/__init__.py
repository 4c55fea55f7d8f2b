"""Functions that are no application's: those that somebody creates, each with its Run service."""

from local.services.plain_functions.functions import PlainFunctions

__all__ = ["PlainFunctions"]
