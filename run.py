"""`python run.py --config=<algorithm> --env-config=<environment> with key=value ...`"""

import sys
from pathlib import Path

sys.path.insert(1, str(Path(__file__).resolve().parent / "src"))  # where the code is, installed or not

from cohort.cli import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
