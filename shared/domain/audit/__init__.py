"""The audit log: hash chain, anchors, verification."""
