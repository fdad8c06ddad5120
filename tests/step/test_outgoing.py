"""What goes out has the shape of the events that consumers read."""

import pytest

from schemas.events import Decision, EntityFeatures, FeatureUpdate
from serving.outgoing import OutgoingDecision, OutgoingFeatures, OutgoingUpdate


@pytest.mark.parametrize(
    ("outgoing", "event"),
    [(OutgoingDecision, Decision), (OutgoingUpdate, FeatureUpdate), (OutgoingFeatures, EntityFeatures)],
)
def test_an_outgoing_struct_has_the_fields_of_its_event(outgoing, event):
    # Version 1 is the default, and a default is not written.
    assert set(outgoing.__struct_fields__) == set(event.__struct_fields__) - {"schema_version"}
    assert getattr(event, "VERSION", 1) == 1
