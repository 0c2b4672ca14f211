"""A study of diffusion models: trained, evaluated with one camera, drawn from all sides, told in a page."""

import json
from pathlib import Path

import yaml

from tests.models.tiny import diffusion_overrides
from tests.study.conftest import do, write_study

EVALUATE = [
    *("metrics=[fid,fid3d]", "extractor=pixels", "num_images=4", "batch_size=4", "steps=1", "processes=1"),
    *("data=folder", "data.root=photos", "data.labels=true", "device=cpu"),
    *("against=folder", "against.root=others", "against.labels=true", "names=[ffhq,large]"),
]


def test_a_study_of_diffusion_models(tmp_path: Path) -> None:
    folder = write_study(
        tmp_path, evaluate={"main": EVALUATE}, pictures={"seeds": "3", "poses": True, "turntable": False}
    )
    words = [
        word for word in diffusion_overrides(Path("photos"), tmp_path / "runs") if not word.startswith("runs_dir=")
    ]
    study = yaml.safe_load((folder / "study.yaml").read_text())
    study["train"] = [*words, "total_kimg=0.004"]
    study["seeds"] = [0]
    study["runs"] = {
        "slow": {"title": "slow", "overrides": ["model.base_rate=1e-4"]},
        "quick": {"title": "quick", "overrides": ["model.base_rate=1e-3"]},
    }
    (folder / "study.yaml").write_text(yaml.safe_dump(study, sort_keys=False))
    done = do(tmp_path)
    results = json.loads((done.folder / "results.json").read_text())
    figures = {(each["metric"], each["name"]): each for each in results["comparisons"]["main"]}
    assert {name for metric, name in figures if metric == "fid3d"} == {
        *("same ffhq", "same large", "ffhq->large", "large->ffhq")
    }
    assert set(figures["fid3d", "ffhq->large"]["runs"]) == {"slow", "quick"}
    assert len(list((done.folder / "pictures").glob("*poses*/grid.png"))) == 2
    assert "FID3D" in done.report.read_text()
