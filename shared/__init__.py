"""What responders, CLI and embedded cloud share; imports point down this list.

wiring/        settings, and the adapters built from them
adapters/      adapters behind the ports; google.* in adapters/gcp/ only
engine/        lease, checkpoints, step scheduling, the kinds of step
state/         readers of stored state, and the work queue
ports/         the ports: Protocols, grouped by what they are for
policy_files/  load and validate policy files
domain/        values and pure rules, grouped by subject
core/          errors, codec, text, durations, redaction, log, topics
"""
