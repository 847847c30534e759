"""The commands of `./build.py`, one file each; heavy imports happen inside the functions that need them."""
