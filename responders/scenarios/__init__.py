"""Facts to plan, pure: one module per scenario; `registry` lists them."""
