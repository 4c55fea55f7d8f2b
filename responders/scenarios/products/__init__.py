"""What each product adds to a plan, from recorded and live parts; an unknown part adds no step."""
