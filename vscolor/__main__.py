"""`python -m vscolor` is `vscolor`."""

from vscolor.cli import main

if __name__ == "__main__":
    main()
