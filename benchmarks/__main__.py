"""`python -m benchmarks`: run them all; exit code 1 when a goal is missed."""

import sys

from benchmarks import embedded_cloud, repair, rollback_speed

if __name__ == "__main__":
    met = [embedded_cloud.run(), rollback_speed.run(), repair.run()]
    sys.exit(0 if all(met) else 1)
