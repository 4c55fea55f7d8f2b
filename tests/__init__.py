"""The tests: the folders mirror the product.

shared/ responders/ cli/ local/ terraform/  the module tests/F/test_M.py tests X/Y.py
contracts/   every adapter and its fake pass the same tests
crash/       a crash, a lost answer or a pause at every point of a path
simulation/  the responders under seeded schedules, judged by the invariants
chaos/       runs that are too long for `make test`
e2e/         responders as processes beside the embedded cloud; e2e/browser/ in Chromium
judge/       Google's own client tests against the embedded cloud
system/      tests of the whole: entry points, hostile messages, secrets, storms
repository/  tests of the documentation, the layout and the requirements
support/     what several tests set up; support/fakes/ the fakes behind the ports
"""
