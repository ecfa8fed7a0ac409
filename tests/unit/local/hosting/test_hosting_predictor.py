"""A Predictor's calls as they reach a container."""

import pytest

from sagedock.errors import UsageError
from sagedock.launch.deserializers import JSONDeserializer, StreamDeserializer
from sagedock.launch.iterators import LineIterator
from sagedock.launch.predictor import Predictor
from sagedock.launch.serializers import CSVSerializer, LibSVMSerializer
from sagedock.launch.session import Session


@pytest.fixture
def session(world):
    session = Session(settings=world.settings)
    yield session
    session.close()


@pytest.fixture
def predictor(session):
    """Makes predictors of endpoint e."""
    made = []

    def make(*arguments, **settings):
        made.append(Predictor("e", session, *arguments, **settings))
        return made[-1]

    yield make
    for item in made:
        item.close()


def test_values_are_turned_on_the_way_there_and_back(world, predictor, container):
    answer = b'{"predictions": [1]}'
    server = container(lambda _: (200, {"Content-Type": "application/json"}, answer))
    world.endpoint(world.route(server.hop()))
    mine = predictor(CSVSerializer(), JSONDeserializer())
    assert mine.predict([[1, 2], [3, 4]]) == {"predictions": [1]}
    stream, content_type = predictor(deserializer=StreamDeserializer()).predict("x")
    assert (stream.read(), content_type) == (answer, "application/json")
    (_, first, body), (_, second, _) = server.seen
    assert (first["Content-Type"], first["Accept"], body) == (
        "text/csv", "application/json", b"1,2\n3,4",
    )  # fmt: skip
    assert (second["Content-Type"], second["Accept"]) == ("text/csv", "*/*")


def test_what_is_said_of_a_call_reaches_it(world, predictor, container):
    server = container()
    world.endpoint(
        world.route(server.hop("a"), variant="v", direct=True), variants=[{"VariantName": "v"}]
    )
    predictor(CSVSerializer()).predict(
        [1],
        {"ContentType": "a/b", "Accept": "c/d"},
        target_variant="v",
        inference_id="mine",
        custom_attributes="k=v",
        target_container_hostname="a",
    )
    ((_, headers, body),) = server.seen
    assert body == b"1"
    assert (headers["Content-Type"], headers["Accept"]) == ("a/b", "c/d")
    assert headers["X-Amzn-SageMaker-Inference-Id"] == "mine"
    assert headers["X-Amzn-SageMaker-Custom-Attributes"] == "k=v"


def test_an_answer_is_read_as_it_comes(world, predictor, container):
    server = container(lambda _: (200, {"Content-Type": "text/plain"}, iter([b"a\nb", b"c\n"])))
    world.endpoint(world.route(server.hop()))
    assert list(predictor().predict_stream("1")) == [b"a\nb", b"c\n"]
    assert list(predictor().predict_stream("1", iterator=LineIterator)) == [b"a", b"bc"]


def test_what_can_not_be_sent_is_not_sent(world, predictor, container):
    server = container()
    world.endpoint(world.route(server.hop()))
    with pytest.raises(UsageError, match="list can't be sent as text/libsvm"):
        predictor(LibSVMSerializer()).predict([1])
    assert server.seen == []
