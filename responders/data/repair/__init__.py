"""Documents that a release has spoilt, brought back: from the order until nobody's copy is left."""
