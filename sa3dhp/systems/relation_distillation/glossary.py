"""The words of a report in one line each, for a reader who never saw the papers.

Those of the metrics stand with the metrics, in `metrics.METRICS`.
"""

from __future__ import annotations

TERMS = {
    "z1": "mirror the picture: the pose must mirror",
    "z2": "turn the picture: the pose must turn",
    "z3": "mirror and turn the picture: the pose must do the same",
    "v1": "mirror the clip and play it backwards: the motion must do the same",
    "v2": "mirror, turn and play backwards: the motion must do the same",
    "v3": "play at half speed and backwards: the motion must do the same",
    "cr": "pictures that look different but show one pose must get one code, pictures "
    "of other people other codes",
    "lcr": "a picture in other light must keep its code, other people have other codes",
    "hcr": "a clip in other light must keep its code, other people have other codes",
    "source": "the error on labelled source pictures that are trained along",
}
MONITORS = {
    **{
        key: f"how far the model breaks the rule: {text}" for key, text in TERMS.items()
    },
    "spread": "how different the codes of different pictures are; if it collapses, the "
    "model answers everything with one pose",
    "accuracy": "how often a picture is matched with its own variant among all others",
    "prior": "how far the codes lie from those of real human poses",
    "limits": "share of joints within human joint limits",
    "acceleration": "how jerky the predicted motion is",
    "implausibility": "what the step is chosen by: how jerky the motion is, how far "
    "the codes lie from human poses, how far the rules that turn the picture are "
    "broken, all in units of spread, and the harm of other light (lcr); their mean",
    "mpjpe": "the true error; it needs labels, which a user does not have",
    "pa_mpjpe": "the true error of the pose alone; it needs labels too",
}
CONCEPTS = {
    "source": "the labelled pictures on which the model was trained before",
    "target": "your videos: nobody labelled a pose in them",
    "source-only": "the model before adaptation",
    "adapted": "the model after adaptation; only one block of it (Res-3) has changed",
    "floor": "the value that the source model reaches on its own source. Above it "
    "the target is unlike the source; at it there is nothing to adapt to",
    "code": "the 32 numbers (latent) by which the model describes a pose",
    "domain pack": "the changed block alone, a small file that turns the base model "
    "into the adapted one",
}


def explain(name: str, words: dict[str, str]) -> str:
    """Returns the line for a name, also of a part of it (`contrastive_accuracy`)."""
    if name in words:
        return words[name]
    for part in name.replace("/", "_").split("_"):
        if part in words:
            return words[part]
    return ""
