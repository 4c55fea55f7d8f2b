"""Commands that change something: run, approve, undo, copy, erase, replay, policy publish."""
