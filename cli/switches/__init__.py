"""Commands that set how the system acts: pause, freeze, mode, drill."""
