"""What goes out has the shape of the events that consumers read."""

import msgspec
import pytest

from schemas.events import Decision, EntityFeatures, FeatureUpdate, RecommendationList, Recommended
from serving.outgoing import OutgoingDecision, OutgoingFeatures, OutgoingUpdate
from serving.recommend.outgoing import OutgoingItem, OutgoingList


@pytest.mark.parametrize(
    ("outgoing", "event"),
    [
        (OutgoingDecision, Decision),
        (OutgoingUpdate, FeatureUpdate),
        (OutgoingFeatures, EntityFeatures),
        (OutgoingList, RecommendationList),
        (OutgoingItem, Recommended),
    ],
)
def test_an_outgoing_struct_has_the_fields_of_its_event(outgoing, event):
    # Version 1 is the default, and a default is not written; an origin has only what the API showed.
    left_out = {"schema_version", "origin", "of_list"}
    assert set(outgoing.__struct_fields__) == set(event.__struct_fields__) - left_out
    assert getattr(event, "VERSION", 1) == 1


@pytest.mark.parametrize(("outgoing", "event"), [(OutgoingUpdate, FeatureUpdate), (OutgoingList, RecommendationList)])
def test_what_an_outgoing_struct_leaves_out_its_event_reads_as_the_same(outgoing, event):
    read_as = {field.name: field for field in msgspec.structs.fields(event)}
    left_out = [field for field in msgspec.structs.fields(outgoing) if not field.required]
    assert left_out
    for field in left_out:
        assert (field.default, field.default_factory) == (
            read_as[field.name].default,
            read_as[field.name].default_factory,
        )
