"""Train `mini`: the older name of `vscolor train still`, with the same options."""

import sys

from vscolor.cli import main

if __name__ == "__main__":
    sys.argv[1:1] = ["train", "still"]
    main()
