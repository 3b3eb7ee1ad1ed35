"""Train `mini-video`: the older name of `vscolor train video`, with the same options."""

import sys

from vscolor.cli import main

if __name__ == "__main__":
    sys.argv[1:1] = ["train", "video"]
    main()
