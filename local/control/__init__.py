"""The control plane of the embedded cloud and its front door."""
