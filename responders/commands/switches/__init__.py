"""Commands that set controls: pause, freeze, mode."""
