"""`python -m hqgan` is the command `hqgan`."""

from hqgan.cli.main import main

if __name__ == "__main__":
    main()
