"""What the commands share: options, output, sign-in, publishing."""
