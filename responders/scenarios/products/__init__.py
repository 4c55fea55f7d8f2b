"""What each product adds to a plan: from what was recorded and what is live to steps; pure.

A part that is unknown on either side adds no step, and says so: nothing is compared with it.
"""
