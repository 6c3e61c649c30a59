"""`python run.py --config=<algorithm> --env-config=<environment> with key=value ...`"""

import sys

from src.cli import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
