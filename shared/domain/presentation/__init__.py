"""Texts and pages: status page, console, notices."""
