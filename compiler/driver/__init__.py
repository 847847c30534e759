"""The pipeline's frame: platforms, images, phases with their times, cache, child processes, artefacts."""
