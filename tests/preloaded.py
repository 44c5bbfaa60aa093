"""All that ``killed.py`` needs, for a process that is forked again and again, so that no fork imports anything.

Torch can't be imported in them: webdataset imports it where it is, which takes seconds that no test of the fake
strategy needs.
"""

import sys
from importlib import import_module

sys.modules["torch"] = None  # type: ignore[assignment]
for _name in (
    "jinja2", "killed", "pyarrow.parquet", "synthgen.cli.generate", "synthgen.diffusion.strategies.fake",
    "synthgen.extensions", "synthgen.generate.worker", "synthgen.pack", "synthgen.runs.verify", "synthgen.study",
    "webdataset",
):  # fmt: skip
    import_module(_name)
