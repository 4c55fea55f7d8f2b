"""Signals: alerts, metrics, probes, early warnings; `registry` lists each kind of signal."""
