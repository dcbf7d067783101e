"""``python -m oldfix``: the same as ``oldfix``."""

from oldfix.cli.app import main

if __name__ == "__main__":
    main()
