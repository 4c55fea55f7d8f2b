"""Erasure of personal data and its ledger."""
