"""How alike the frames of a clip are: in the hidden states of a network, and in videos alone."""

from evaluation.similarity.hidden_states.measuring import (
    Difference,
    ModelSimilarity,
    Probe,
    measure_model_similarity,
)
from evaluation.similarity.hidden_states.noised import Denoiser
from evaluation.similarity.hidden_states.sites import Site, SitePair, branch_pairs, latte_sites
from evaluation.similarity.matrices import frame_similarity, inverted_share, matrix_distance
from evaluation.similarity.summary import EDGES, ArrayEstimate, Estimate, Summary

__all__ = [
    "EDGES",
    "ArrayEstimate",
    "Denoiser",
    "Difference",
    "Estimate",
    "ModelSimilarity",
    "Probe",
    "Site",
    "SitePair",
    "Summary",
    "branch_pairs",
    "frame_similarity",
    "inverted_share",
    "latte_sites",
    "matrix_distance",
    "measure_model_similarity",
]
