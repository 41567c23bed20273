"""A rule on the bench: how far it reaches, whether it holds, how well T knows it."""

from __future__ import annotations

from collections.abc import Sequence

from sa3dhp.evaluation import tables
from sa3dhp.systems.relation_distillation import equivariance, rules, stages

_HEADER = (
    "rule",
    "made of",
    "non-localness",
    "residual of T",
    "T decoded (mm)",
    "without T (mm)",
    "in pixels",
    "holds",
)


def examine(making: stages.Stages, rule: rules.Rule, trained: dict | None) -> dict:
    """Returns what is known of a rule.

    Args:
        making: has the encoders, for the non-localness of an untrained rule.
        rule: any rule.
        trained: what its relation network was measured to be, see
            `pairs.measure`; None if it has none.

    Returns:
        `pieces`, `non_localness`, `network` (`trained`), `equivariance`.
    """
    if trained is None:
        distance = making.non_localness(rule)
    else:
        distance = trained["non_localness"]
    return {
        "rule": rule.id,
        "pieces": rule.pieces,
        "non_localness": distance,
        "network": trained,
        "equivariance": equivariance.measure(rule),
    }


def text(found: Sequence[dict]) -> str:
    """Returns the findings of `examine` as a table, with what the columns mean."""
    rows = [_HEADER]
    for one in found:
        network, test = one["network"] or {}, one["equivariance"]
        numbers = [
            _number(one["non_localness"], 2),
            _number(network.get("residual"), 2),
            _number(network.get("decoded_mm"), 1),
            _number(network.get("reconstructed_mm"), 1),
            f"{100 * test.difference:.0f} % of {100 * test.unrelated:.0f} %",
            "yes" if test.passed else "NO",
        ]
        rows.append((one["rule"], one["pieces"], *numbers))
    return (
        f"{tables.align_columns(rows)}\n\n"
        "non-localness: latent distance of anchor and partner ([M] 3.3.3).\n"
        "residual: what is left of it after the relation network T.\n"
        "in pixels: render(rule(pose)) against rule(render(pose)), of the person's\n"
        "contrast; beside it the same for the anchor's picture.\n"
        "holds: pixels agree, bones keep their length, people face where their\n"
        "picture does, and the pose representation holds the partner."
    )


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
