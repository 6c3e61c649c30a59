"""Loading torch: its objects are no garbage, and what comes later is still searched for some."""

import gc
import subprocess
import sys

import pytest

from cohort.loading import loading


def test_the_search_goes_on_afterwards_as_it_was() -> None:
    frozen = gc.get_freeze_count()
    with pytest.raises(ZeroDivisionError), loading():
        1 / gc.isenabled()
    assert gc.isenabled()
    gc.disable()
    try:
        with loading():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
    assert gc.get_freeze_count() == frozen  # the tests have loaded torch: this may freeze nothing


def test_what_was_loaded_is_left_alone_and_later_garbage_is_found() -> None:
    code = """
import gc, weakref
from cohort.loading import loading
with loading():
    import torch
frozen = gc.get_freeze_count()
class Node: pass
node = Node()
node.itself, seen = node, weakref.ref(node)
del node
with loading():
    import torch
gc.collect()
print(frozen > 100_000, frozen == gc.get_freeze_count(), seen())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "True", "None"]
