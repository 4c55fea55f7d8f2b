#!/bin/sh
# Roll back the functions of CVPlus. Options: those of `rollback run`; without any it asks at a terminal.
[ $# -gt 0 ] || set -- --interactive
exec "$(dirname "$(readlink -f "$0")")/../rollback" run --system cvplus --scenario functions "$@"
