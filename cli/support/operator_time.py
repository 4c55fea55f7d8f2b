"""Times of restore points as an operator says and reads them: in this machine's zone and in UTC."""

from datetime import UTC, datetime

from shared.domain.data.backups.restore_point import STAMP, STAMP_FORMAT


def read_restore_point(text: str) -> tuple[str, str]:
    """Return a restore point as a command names it, and its time in both zones; "": it is no time.

    A stamp as `date +%Y%m%d_%H%M` prints it is in the zone of this machine; a command has UTC.
    """
    try:
        is_stamp = STAMP.fullmatch(text)
        at = datetime.strptime(text, STAMP_FORMAT) if is_stamp else datetime.fromisoformat(text)
        if not is_stamp and at.tzinfo is None:
            return text, ""
        here, utc = at.astimezone(), at.astimezone(UTC)
    except (ValueError, OverflowError):
        return text, ""
    shown = f"{here:%Y-%m-%d %H:%M %Z} ({utc:%Y-%m-%d %H:%M} UTC)"
    return (f"{utc:%Y-%m-%dT%H:%M:%SZ}" if is_stamp else text), shown
