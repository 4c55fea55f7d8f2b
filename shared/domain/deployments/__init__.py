"""Deployments: roll-out, stability, restorability."""
