"""`python -m hqgan` is the command `hqgan`."""

from hqgan.cli import main

if __name__ == "__main__":
    main()
