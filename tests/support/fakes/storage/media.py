"""Files of an application in memory."""

from tests.support.fakes.runtime.hooks import Hook, ask_hook_around, no_hook


class MemoryMedia:
    """A Media; the verb for the hook: media.why_unreadable."""

    def __init__(self, hook: Hook = no_hook) -> None:
        self.hook = hook
        self.files: dict[str, bytes | None] = {}
        """Content by `gs://BUCKET/NAME`; None: what cannot be read."""

    def unreadable_reason(self, bucket: str, name: str) -> str:
        """By what is there."""
        with ask_hook_around(self.hook, "media.why_unreadable"):
            content = self.files.get(f"gs://{bucket}/{name}", b"")
            if content is None:
                return "it cannot be read (400)"
            if content:
                return ""
            there = f"gs://{bucket}/{name}" in self.files
            return "it is empty" if there else "it is not there"
