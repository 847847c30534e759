"""The runtime under the images, on the host."""
