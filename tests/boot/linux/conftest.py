"""Which of these tests run: TANTALUM_LINUX_FFA=1 in the environment adds those that build a kernel first."""

import os

collect_ignore = [] if os.environ.get("TANTALUM_LINUX_FFA") == "1" else ["test_ffa.py"]
