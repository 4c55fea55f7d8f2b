"""The tests, each file named after the module that it is about; where to look for the rest.

The first line of each scene says what is played in it.

the product in one thread: world, fakes; faults at its points: crash, disturbed
schedules, and attacks of any length: simulation, chaos, campaign, bulk
ports: contracts; the embedded cloud: local, judge; from end to end: e2e, browser
what is provisioned: terraform, installed
messages: posting, corpus, fixtures, attacks, confidential
trouble, and what is decided: troubled, wider, gate_facts, gate_levels, small_policy
what goes back: furnished, ways_back, built_again, pinned, deployed
a person, and what they say: person, answering, switching, rehearsed, prompt, desk, browsing
who is told: noticed, devices, concerned, published, responded, outside
the trail: lived
an application's data: checked, spoilt, mended, fences, fenced, taken_out
its backups: backed_up, proven, past, copying
the documentation: documented; the requirements: locks
"""
