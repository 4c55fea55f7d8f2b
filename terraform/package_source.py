"""Write a zip of the files that SOURCE_FILES names, as JSON of paths by name."""

import json
import os
import sys
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

NO_TIME = (1980, 1, 1, 0, 0, 0)
"""So that the same files make the same zip, whenever and wherever."""


def main() -> None:
    """Write the archive; its folder need not exist."""
    target = Path(sys.argv[1])
    target.parent.mkdir(parents=True, exist_ok=True)
    with ZipFile(target, "w", ZIP_DEFLATED) as archive:
        for name, file in sorted(json.loads(os.environ["SOURCE_FILES"]).items()):
            entry = ZipInfo(name, NO_TIME)
            entry.compress_type, entry.external_attr = ZIP_DEFLATED, 0o644 << 16
            archive.writestr(entry, Path(file).read_bytes())


if __name__ == "__main__":
    main()
