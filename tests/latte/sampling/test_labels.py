from collections import Counter

import pytest

from latte.data.errors import InputError
from latte.sampling.plan import label_of, read_labels

NAMES = ["ape", "bee", "cat, wild", "2"]


def labels(text, count, *, classes=NAMES, seed=0):
    rule = read_labels(text, 4, classes)
    return [label_of(rule, index, num_classes=4, seed=seed) for index in range(count)]


def test_balanced_is_the_default_and_gives_each_class_in_turn():
    assert labels(None, 9) == labels("balanced", 9) == [0, 1, 2, 3, 0, 1, 2, 3, 0]


def test_random_labels_are_a_function_of_seed_and_number():
    assert labels("random", 8) == [0, 3, 3, 3, 2, 3, 1, 2]
    assert labels("random", 8, seed=1) != labels("random", 8)
    counts = Counter(labels("random", 4000))
    assert all(900 < counts[label] < 1100 for label in range(4))


def test_given_labels_are_taken_in_turn():
    assert labels("3,1", 5) == [3, 1, 3, 1, 3]
    assert labels("1", 3) == [1, 1, 1]
    assert labels(" 0 , 3 ", 2) == [0, 3]


def test_names_stand_for_their_numbers_and_go_before_them():
    assert labels("bee,ape", 2) == [1, 0]
    assert labels("cat, wild", 2) == [2, 2]
    assert labels("2,1", 2) == [3, 1]


def test_a_model_without_classes_has_no_labels():
    assert read_labels(None, None, None) is None
    with pytest.raises(InputError, match=r"--labels balanced: .*no classes"):
        read_labels("balanced", None, None)


@pytest.mark.parametrize(
    ("text", "classes", "sentence"),
    [
        ("bea", NAMES, r"--labels: .*\bbea\b.*did you mean bee"),
        ("4", NAMES, r"--labels: .*\b4\b.*0 … 3"),
        ("-1", NAMES, r"--labels: .*-1\b.*0 … 3"),
        ("1,,2", NAMES, "no class ''"),
        ("bee", None, "--labels: .*'bee' is not a number.*names"),
        ("balance", None, "'balance' is not a number"),
    ],
)
def test_what_is_no_class_is_refused(text, classes, sentence):
    with pytest.raises(InputError, match=sentence):
        read_labels(text, 4, classes)


def test_a_rule_is_the_same_for_any_number():
    assert 0 <= label_of("random", 10**9, num_classes=101, seed=3) < 101
