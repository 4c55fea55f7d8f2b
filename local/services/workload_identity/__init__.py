"""Service agents: the accounts by which Google's services act in a project."""
