"""How alike the frames of a clip are: in the hidden states of a network, and in videos alone."""

from evaluation.similarity.hidden_states import Site
from evaluation.similarity.latte_sites import SitePair, branch_pairs, latte_sites
from evaluation.similarity.matrices import (
    frame_similarity,
    inverted_share,
    matrix_distance,
    mutual_similarity,
)
from evaluation.similarity.model import measure_model_similarity
from evaluation.similarity.model_similarity import Difference, ModelSimilarity
from evaluation.similarity.moments import Band, Estimate
from evaluation.similarity.summary import EDGES, Summary

__all__ = [
    "EDGES",
    "Band",
    "Difference",
    "Estimate",
    "ModelSimilarity",
    "Site",
    "SitePair",
    "Summary",
    "branch_pairs",
    "frame_similarity",
    "inverted_share",
    "latte_sites",
    "matrix_distance",
    "measure_model_similarity",
    "mutual_similarity",
]
