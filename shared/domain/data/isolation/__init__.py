"""Write fences."""
