"""The `rollback` command: what operators and CI say to the responders, and ask of them."""
