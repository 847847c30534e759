"""What an image needs under its logic."""
