"""Where things are in the checkout that this package belongs to."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD_FOLDER = ROOT / "build"
CACHE_FOLDER = BUILD_FOLDER / ".cache"
