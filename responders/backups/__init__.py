"""Databases beside the one that is live: exports, proofs, copies, and the past they give back."""
