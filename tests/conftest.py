import pytest
import vapoursynth as vs

from vscolor.models.registry import registry
from vscolor.testing import tiny_entry


def pytest_configure(config):
    if "tiny" not in registry.names():
        registry.add(tiny_entry())


@pytest.fixture(autouse=True)
def keep_threads():
    """A test may change the number of worker threads; the next starts with the usual one."""
    threads = vs.core.num_threads
    yield
    vs.core.num_threads = threads


def pytest_collection_modifyitems(items):
    if any(item.get_closest_marker("gpu") for item in items):
        from vscolor.device import why_no_torch_cuda

        reason = why_no_torch_cuda()
        if reason:
            for item in items:
                if item.get_closest_marker("gpu"):
                    item.add_marker(pytest.mark.skip(reason=reason))
