"""How well a planted taste is learnt after 50, 100 and 200 ratings: chosen by `next_to_rate`, or at random.

    python experiments/curation/taste.py FACES SYNTHETIC out.json

FACES: folder with index.csv of photographs and generated faces; SYNTHETIC: an indexed folder of `facegen data
synthesize`. Features are those of the default embedding, kept beside OUT. A third of the faces is
never rated and judges.
"""

import csv
import json
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float
from PIL import Image

from facegen.curation.describing.attributes import attributes_of
from facegen.curation.embedding import DEFAULT_MODEL, embedder
from facegen.curation.taste import cross_validate, fit, next_to_rate
from facegen.curation.taste.agreement import agreement, reliability
from facegen.data import table
from facegen.data.celeba import ATTRIBUTES

MARKS, BATCH, SEEDS, WRONG = (50, 100, 200), 10, 3, 0.1
Numbers = Float[np.ndarray, " face"]


class Rule(NamedTuple):
    """Who is liked: 1 or 0 for each face, and which share of ratings says the opposite."""

    name: str
    embeddings: Float[np.ndarray, "face dim"]
    likes: Numbers
    wrong: float = 0.0


def main(faces: Path, synthetic: Path, out: Path) -> None:
    """All rules, one after the other; what is done is written down at once."""
    found: dict[str, Any] = {}
    pooled: dict[str, list[tuple[Numbers, Numbers]]] = {"random": [], "active": []}
    for rule in [*photograph_rules(faces, out), *synthetic_rules(synthetic, out)]:
        found[rule.name] = {"faces": len(rule.likes), "liked": round(float(rule.likes.mean()), 3)}
        for how in pooled:
            runs = [learn(rule, how, seed) for seed in range(SEEDS)]
            pooled[how] += [(run["predicted"], run["liked"]) for run in runs]
            found[rule.name][how] = summary(runs)
            print(rule.name, how, json.dumps(found[rule.name][how]), flush=True)
        found["reliability"] = {
            how: reliability(*map(np.concatenate, zip(*pairs, strict=True)))._asdict() for how, pairs in pooled.items()
        }
        out.write_text(json.dumps(found, indent=1, default=lambda values: np.round(values, 4).tolist()) + "\n")


def learn(rule: Rule, how: str, seed: int) -> dict[str, Any]:
    """Rate two thirds of the faces, BATCH at a time, and judge by the last third."""
    random = np.random.default_rng(seed)
    order = random.permutation(len(rule.likes))
    unseen, pool = np.split(order, [len(order) // 3])
    embeddings, ratings = rule.embeddings[pool], np.full(len(pool), np.nan)
    answers = np.where(random.random(len(pool)) < rule.wrong, 1 - rule.likes[pool], rule.likes[pool])
    run: dict[str, Any] = {"liked": rule.likes[unseen]}
    for rated in range(BATCH, MARKS[-1] + 1, BATCH):
        rows = np.arange(rated - BATCH, rated) if how == "random" else next_to_rate(embeddings, ratings, BATCH, seed)
        ratings[rows] = answers[rows]
        if rated in MARKS:
            run["predicted"] = fit(embeddings, ratings).predict(rule.embeddings[unseen]).taste
            run[str(rated)] = agreement(run["predicted"], run["liked"])
    run["cross_validated"] = cross_validate(embeddings, ratings).auc
    return run


def summary(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Means over seeds; of the AUC also how much it varies, and what cross-validation had said of the last."""
    figures: dict[str, Any] = {}
    for mark in map(str, MARKS):
        each = [run[mark] for run in runs]
        figures[mark] = {
            name: round(float(np.mean([getattr(one, name).value for one in each])), 3)
            for name in ("auc", "accuracy", "spearman")
        }
        figures[mark]["calibration_error"] = round(float(np.mean([one.calibration_error for one in each])), 3)
        figures[mark]["auc_deviation"] = round(float(np.std([one.auc.value for one in each], ddof=1)), 3)
    figures["cross_validated_auc"] = [[round(value, 3) for value in run["cross_validated"]] for run in runs]
    figures["unseen_auc"] = [round(run[str(MARKS[-1])].auc.value, 3) for run in runs]
    return figures


def photograph_rules(faces: Path, out: Path) -> list[Rule]:
    """Rules on what MediaPipe measured and on pixels; each likes about half of the faces, but the last."""
    rows = list(csv.DictReader((faces / "index.csv").open()))
    features = embeddings_of([faces / row["path"] for row in rows], out.with_name("taste_photographs.npy"))

    def number(name: str) -> Numbers:
        return np.array([float(row[name] or "nan") for row in rows])

    def apart(one: str, other: str) -> Numbers:
        return np.hypot(number(f"{one}_x") - number(f"{other}_x"), number(f"{one}_y") - number(f"{other}_y"))

    def rule(name: str, value: Numbers, among: np.ndarray, wrong: float = 0.0) -> Rule:
        kept = among & np.isfinite(value)
        return Rule(name, features[kept], (value[kept] > np.median(value[kept])).astype(float), wrong)

    source, frontal = np.array([row["source"] for row in rows]), -np.abs(number("yaw"))
    mouth = apart("mouth_l", "mouth_r") / apart("eye_l", "eye_r")
    light = np.array([np.asarray(Image.open(faces / row["path"]).convert("L")).mean() for row in rows])
    both = (light > np.median(light)) & (np.abs(number("yaw")) < 15)
    everything = np.ones(len(rows), bool)
    return [
        rule("FFHQ: wide mouth (smiles)", mouth, source == "ffhq"),
        rule("all: bright", light, everything),
        rule("all: frontal", frontal, everything),
        rule("all: frontal, 10 % of ratings wrong", frontal, everything, WRONG),
        Rule("all: bright and yaw below 15 degrees", features, both.astype(float)),
        Rule("all: photographed, not generated", features, np.isin(source, ["ffhq", "london"]).astype(float)),
    ]


def synthetic_rules(root: Path, out: Path) -> list[Rule]:
    """Rules on attributes that synthetic faces were rendered with."""
    rows = table.read(table.table_path(root), ["uri"])
    features = embeddings_of([root / uri for uri in rows["uri"].to_pylist()], out.with_name("taste_synthetic.npy"))
    attributes = attributes_of(root) > 0

    def has(name: str) -> np.ndarray:
        return attributes[:, ATTRIBUTES.index(name)]

    dark = has("Black_Hair") | has("Brown_Hair")
    wanted: dict[str, np.ndarray] = {
        "synthetic: smiling": has("Smiling"),
        "synthetic: dark hair": dark,
        "synthetic: smiling with dark hair": has("Smiling") & dark,
    }
    rules = [Rule(name, features, likes.astype(float)) for name, likes in wanted.items()]
    last = rules[-1]
    return [*rules, last._replace(name=f"{last.name}, 10 % of ratings wrong", wrong=WRONG)]


def embeddings_of(paths: list[Path], kept: Path) -> Float[np.ndarray, "face dim"]:
    """Unit vectors of pictures, computed once."""
    if not kept.exists():
        embed = embedder(DEFAULT_MODEL)
        parts = [paths[start : start + 32] for start in range(0, len(paths), 32)]
        np.save(
            kept, np.concatenate([embed([np.asarray(Image.open(p).convert("RGB")) for p in part]) for part in parts])
        )
    return np.load(kept)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]))
