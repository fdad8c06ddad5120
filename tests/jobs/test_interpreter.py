import gc
import sys

import pytest

from jobs.runtime import interpreter


@pytest.fixture(autouse=True)
def as_before():
    interval, thresholds = sys.getswitchinterval(), gc.get_threshold()
    yield
    sys.setswitchinterval(interval)
    gc.set_threshold(*thresholds)


def test_threads_change_sooner_and_the_collector_begins_later_than_by_default():
    interpreter.prepare()
    assert sys.getswitchinterval() == pytest.approx(0.0005)
    assert gc.get_threshold() == (50_000, 20, 100)
    assert gc.isenabled()
