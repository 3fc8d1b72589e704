"""Table 1 of the paper: parameters and FLOPs of the four variants, the paper's beside ours.

Ours are counted on the networks that this package builds, so they are the same at every scale.
"""

from collections.abc import Sequence
from functools import partial

from benchmarks.documents.claims import JudgedClaim, Judgement, Verdict
from benchmarks.documents.tables import TableDocument, cut_off, publish_timed
from benchmarks.runners import RUNNERS
from benchmarks.tables.published import published_cell
from latte.config import LatteConfig, preset
from latte.model.cost import Cost, cost
from reports.cells import Cell, Column, Row
from reports.provenance import Provenance
from reports.published import published
from reports.table import Table

MODEL = "Latte-XL/2"
SOURCE = "arXiv:2401.03048v1 Table 3 (v3 Table 1)"
CLIPS = 3  # the paper's FLOPs seem to be for three clips
COLUMNS = (
    Column(key="params_m_paper", title="Parameters, paper"),
    Column(key="params_m", title="here"),
    Column(key="flops_g_paper", title="FLOPs, paper"),
    Column(key="flops_g_as_paper", title="counted alike"),
    Column(key="gflop", title="one clip"),
    Column(key="gflop_official", title="official code"),
)
CAPTION = (
    f"{MODEL}, unconditional, for 16 frames of 32×32×4 latents (256×256 pixels): parameters in "
    "millions, FLOPs in billions. The same at every scale."
)
COUNTED_ALIKE = (
    "Counted alike: what a counter of module calls gives for three clips, and the convention that "
    "gives variant 1's published figure to its last digit: multiply–accumulates of linear layers "
    "and patches, two operations for each element of a layer norm (four where it has weights), "
    "nothing for the products of queries, keys and values, and the condition repeated for each "
    "frame and patch before the linear layers of the modulations."
)
ONE_CLIP = (
    "One clip: two for each multiply–accumulate of matrix products and convolutions, attention "
    "included, as `FlopCounterMode` of PyTorch counts. Official code: the same for its form of the "
    "network, which repeats the condition; it has variant 1 alone, and variant 2 has its blocks."
)
UNDETERMINED = (
    "The paper gives a figure and a total, which leave biases and norms of a block open: 23 blocks "
    "of the reading nearest to its total."
)
LESS = "{less:,} parameters or more below the paper's figure, {share:.4f} % of it."
UNKNOWN_FLOPS = (
    "Not three clips, whose MLPs alone take more; how it was counted is not known. Our reading "
    "takes as many as variant 3."
)


def document() -> TableDocument:
    """The table with what it says of the paper's claims."""
    judged = claims()
    verdicts = " ".join(f"{claim.claim}: {claim.measured}." for claim in judged)
    return TableDocument(
        name="table1",
        title=RUNNERS["table1"].title,
        lead=f"{comparison()} {verdicts}",
        tables=(variants_table(),),
        findings=tuple(claim.paper_claim for claim in judged),
    )


def variants_table() -> Table:
    """Parameters (millions) and FLOPs (G) of the variants, the paper's beside ours."""
    return Table(
        title="Parameters and FLOPs of the variants",
        caption=CAPTION,
        label_heading="Variant",
        columns=COLUMNS,
        rows=tuple(_row(variant, *printed) for variant, printed in published_variants().items()),
        remarks=(COUNTED_ALIKE, ONE_CLIP, comparison(), *(f"{claim.line}." for claim in claims())),
        provenance=(Provenance(details={"published": SOURCE}),),
    )


def published_variants() -> dict[int, tuple[str, str]]:
    """Parameters (millions) and FLOPs (G) of each variant, as the paper prints them."""
    return {
        int(line["variant"]): (str(line["params_m"]), str(line["flops_g"]))
        for _, line in published("variants").iterrows()
    }


def comparison() -> str:
    """A sentence on the variants whose parameters are those that the paper prints."""
    printed = published_variants()
    same = [str(v) for v, own in costs().items() if cut_off(own.parameters / 1e6) == printed[v][0]]
    return (
        f"Our parameters are the paper's in the variants {' and '.join(same)}; the paper cuts them "
        "off after two decimals."
    )


def claims() -> list[JudgedClaim]:
    """The paper's claims about its Table 1, judged by its figures and by ours."""
    printed, ours = published_variants().values(), costs().values()
    return [
        JudgedClaim(
            claim="All variants have about as many parameters",
            paper=_about_equal([float(parameters) for parameters, _ in printed]),
            measured=_about_equal([cost.parameters for cost in ours]),
        ),
        JudgedClaim(
            claim="Variant 4 takes about a quarter of the others' FLOPs",
            paper=_about_a_quarter([float(flops) for _, flops in printed]),
            measured=_about_a_quarter([cost.flops for cost in ours]),
        ),
    ]


def costs() -> dict[int, Cost]:
    """What each variant costs here."""
    return {variant: cost(preset(MODEL, variant=variant)) for variant in published_variants()}


def as_the_paper_counts(config: LatteConfig) -> float:
    """Operations that a counter of module calls (as thop's) finds in three clips.

    Multiply–accumulates of linear layers and patches, and two operations for each element that a
    layer norm sees, four where the norm has weights. Products of attention are no modules. The
    modulations are the official code's (Vchitect/Latte b27c24a, models/latte.py): of a block over
    space for each frame, over time for each patch; of one that looks over both, for each of both.
    """
    d, depth = config.hidden_size, config.depth
    frames, patches = config.num_frames, config.patches_per_frame
    over_space, over_time = 2 * frames * patches**2 * d, 2 * patches * frames**2 * d
    if config.variant in (1, 2):
        attention = depth // 2 * (over_space + over_time)
        modulations = 6 * (depth // 2) * (frames + patches)
        norms = 2 * depth
    else:
        attention = depth * (over_space + over_time)
        modulations = 6 * depth * (frames + patches)
        norms = depth * (4 if config.variant == 3 else 6)  # norms with weights count twice
    once = (6 * depth + 2) * d**2  # our modulations, for each clip
    repeated = (modulations + 2 * frames) * d**2
    products = cost(config).flops // 2 - attention - once + repeated
    return float(CLIPS * (products + 2 * (norms + 1) * frames * patches * d))


def _row(variant: int, parameters: str, flops: str) -> Row:
    config = preset(MODEL, variant=variant)
    counted = cost(config)
    notes = []
    if variant > 2:  # the paper leaves some parameters open
        less = round(float(parameters) * 1e6) - counted.parameters
        notes = [UNDETERMINED, LESS.format(less=less, share=less / (1e4 * float(parameters)))]
    missing = Cell(reason="The official code has variant 1 alone.")
    official = counted.official_flops
    return Row(
        label=f"Variant {variant}",
        cells={
            "params_m_paper": published_cell(parameters),
            "params_m": Cell.fixed(counted.parameters / 1e6, 6, notes=tuple(notes)),
            "flops_g_paper": published_cell(flops, (UNKNOWN_FLOPS,) if variant == 4 else ()),
            "flops_g_as_paper": Cell.fixed(as_the_paper_counts(config) / 1e9, 3),
            "gflop": Cell.fixed(counted.flops / 1e9, 2),
            "gflop_official": missing if official is None else Cell.fixed(official / 1e9, 2),
        },
    )


def _about_equal(parameters: Sequence[float]) -> Judgement:
    most, least = max(parameters), min(parameters)
    return Judgement(
        verdict="yes" if most < 1.01 * least else "no",
        numbers=f"the most {100 * (most / least - 1):.1f} % above the least",
    )


def _about_a_quarter(flops: Sequence[float]) -> Judgement:
    *others, last = flops
    share = last / (sum(others) / len(others))
    verdict: Verdict = "yes" if 0.2 < share < 0.3 else "no"
    return Judgement(verdict=verdict, numbers=f"{share:.2f} of their mean")


run = partial(publish_timed, document)
