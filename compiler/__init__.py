"""The Tantalum compiler: restricted Python to AArch64 images, and the build tool around it."""
