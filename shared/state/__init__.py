"""Access to stored state: reader, audit reader, work queue."""
