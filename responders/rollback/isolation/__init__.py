"""What writes stops for a while: raised, kept up, and let fall, by a person or for a repair."""
