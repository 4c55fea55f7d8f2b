"""The ports over Google Cloud: the one place of the product that knows its clients."""
