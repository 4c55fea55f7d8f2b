"""`python -m cli`: the `rollback` command without installation."""

from cli.app import app

if __name__ == "__main__":
    app(prog_name="rollback")
