#!/bin/sh
# Roll back documents of CVPlus to --restore-point; without one: functions and indexes, and rules after approval.
# Options: those of `rollback run`; without any it asks at a terminal.
[ $# -gt 0 ] || set -- --interactive
exec "$(dirname "$(readlink -f "$0")")/../rollback" run --system cvplus --scenario database "$@"
