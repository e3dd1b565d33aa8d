"""Listing a data set needs no torch: half a gigabyte and seconds that a large set should not cost."""

import subprocess
import sys

from suite.data.sources import SOURCES


def test_neither_readers_nor_what_lists_with_them_import_torch():
    code = (
        "import sys, suite.data.tools.checking, suite.data.keys\n"
        "from suite.data.sources import SOURCES, find_source\n"
        "for name in SOURCES: find_source(name)\n"
        "print(sorted({'torch', 'kornia', 'pytorch_lightning'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert len(SOURCES) > 10
