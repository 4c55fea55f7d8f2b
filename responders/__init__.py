"""One responder per trigger, and what they share; where to look, room by room.

The first line of each module says what comes of it.

triggers, by topic: alerts, clock, commands, deployments, notices, work; over HTTP: console
an alert taken in: refusal, recording, yielding; one of our own: findings
a command, checked: identifying, verbs, subject; done by a worker: commanded, piecemeal, switched
a person's order: ordering, scheduling, taking_back, drilling, rehearsing
a person's word on an incident: answering, analysing, declaring, holding
a person's word on what is known: marking, inquiring, exporting, trying
a person's word to the system: switching, telling, pausing, revoking, regenerating, erasing
deciding: gathering, surveying, deciding, planning, scenarios, recalling, waiting
an order that takes back or moves data: reversing, working_out, weighing
carrying out: case, extending, verifying, measuring, joined, closing
ending: ending, whereabouts, pinning, pinned, reminding, counting, filing, tallying
what is live, and good: hearing, taking_stock, comparing, ours, reporting, proving
what it is built from again: keeping, clearing
looks by the clock: probing, checking, examining, inspecting
the trail: anchoring, sealing
people told: writing, spreading, showing
the console: signing_in, viewing, batches, saying
an application's data: repairs, fences, backups, retired
many calls at once: asking
"""
