"""`python -m face3d_data` is `face3d`."""

from face3d_data.cli.main import main

if __name__ == "__main__":
    main()
