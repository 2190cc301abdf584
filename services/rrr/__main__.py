"""`python -m services.rrr`: the command line, without an installed script."""

from services.rrr import main

if __name__ == "__main__":
    main()
