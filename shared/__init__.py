"""The rollback system: values, decisions, engine and adapters; where to look, room by room.

The first line of each module says what it holds.

the world, as ports: ports, platform, estate, buckets, messages, installation, proof
adapters: gcp, clock, local_cloud, logged, pool, prober, http, sender, apprised, statuspage, sign_in
settings to adapters: settings, wiring, wiring_systems, once
the policy: policy, policy_file, policy_schema, policy_rules, policy_assets, policy_collections;
  what was removed from its files: policy_removed
its parts: audience, execution, integrity_rules, resources
a protected system: system, standing
messages: envelope, topics, handover, log, json_object, marked_yaml
a signal, and an alert of it: alert, alert_record, security_finding, looks, probing, trends
an incident: incident, opening, conditions, choices, response, severity, timers
a command, and who says it: command, authority, credential, operators
deciding: facts, gate, gates, gates_allowed, gates_explained, gates_way_back, decisions
what differs, and explains: differences, reach, ordered, suspects, restorability, rules_text
what is live: inventory, stock, traffic, images, triggers, changed_by
a deployment: deployment, announcing, rollout, baking
what it is built from again: build, copies
a plan, and its steps: plan, steps, drill, forecast
a rollback carried out: rollback, tenure, controls, engine, carrying, commits, attempts, in_hand
its speed: pacing, quota, ramp
is it well: health, checks, baseline
what stays of it: pin, phases, impact, lessons
the trail: audit, outside, anchor, trail, verification, told, expiry
notices: notice, outbox, spread, wording, worded, wording_rendering
texts of others: plain, redaction, scrubbing, shortened
pages: page_templates, templates, console_rendering, visits
the status page: status_page, status_rendering
reports: report, report_rendering, report_html, reported, filed, tallies
data, and damage in them: versions, integrity, judging, damage, owners, erasure, assets
data brought back: repair, journals, quarantine, restore_point
writers stopped for a while: fence, fence_told
backups: backup, backing, native
databases that are filled from them: filling, copying, proving
what is kept, and read: typed, documents, reading
small things: conflicts, durations, errors, parts
"""
