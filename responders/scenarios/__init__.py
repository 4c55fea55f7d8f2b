"""Facts to plan, pure: `registry` lists the scenarios."""
