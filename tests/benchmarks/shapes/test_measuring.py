from benchmarks.shapes.measuring import DIRECTIONS
from evaluation.catalogue.registry import metric
from evaluation.networks.registry import network

NETWORKS = {"fvd": "shapes", "fid": "shapes-frame", "is": "shapes"}


def test_titles_and_directions_are_those_of_the_metrics() -> None:
    numbers = {metric(name).numbers[0]: spec for name, spec in NETWORKS.items()}
    assert {
        number.called(network(spec)): "higher" if number.higher_is_better else "lower"
        for number, spec in numbers.items()
    } == DIRECTIONS
