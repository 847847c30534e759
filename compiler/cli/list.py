"""`list`: what there is to build, run and measure."""

from compiler.cli import output
from compiler.cli.bench import bench_summaries
from compiler.driver.images import all_images
from compiler.driver.paths import ROOT
from compiler.driver.platforms import load_platform, platform_names

GUEST_LIBRARY = "runtime.partition."


def list_all() -> int:
    """List platforms, images and benchmarks."""
    platforms = [load_platform(ROOT, name) for name in platform_names(ROOT)]
    output.show_table(
        ["platform", "description", "DRAM", "CPUs", "image at", "started with"],
        [
            (
                platform.name,
                platform.description,
                f"{platform.dram_base:#x} + {output.size_text(platform.dram_size_bytes)}",
                str(platform.cpu_count_max),
                f"{platform.image_base:#x}",
                platform.runner.program,
            )
            for platform in platforms
        ],
        right=["CPUs"],
    )
    output.say("")
    output.show_table(
        ["image", "description", "entered at", "entry module", "linker script"],
        [
            (
                image.name,
                image.description,
                image.level,
                ", ".join(name for name in image.entry_modules if not name.startswith(GUEST_LIBRARY)),
                str(image.linker_script),
            )
            for image in all_images()
        ],
    )
    output.say("")
    output.show_table(["bench", "description"], bench_summaries(ROOT))
    return 0
