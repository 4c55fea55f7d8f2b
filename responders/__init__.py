"""The responders: one module per trigger, and what the triggers call.

triggers/     decode a message, dispatch it, and answer it
alerts/       record an alert and join it to an incident
commands/     carry out operator commands, by subject; registry.py names each handler
rollback/     decide on a rollback, execute, verify and complete it
scenarios/    turn facts into plans; pure
jobs/         periodic jobs: probes, checks, seals, statistics
deployments/  record deployments and keep their source
data/         check, repair and erase documents
backups/      export, copy and restore-test databases
notices/      send notices, device push and the status page
console/      serve the operator console
support/      what several of them share
"""
