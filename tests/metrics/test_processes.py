"""Two real processes give what one gives: counts bitwise, values to 1e-10."""

from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from torch import Tensor

from facegen.metrics import FID3D, FrechetDistance, KernelDistance, PrecisionRecall
from facegen.metrics.pose_binned import PoseBinnedFrechet
from facegen.metrics.pose_bins import PoseBins
from facegen.metrics.pose_matched import PoseMatchedFrechet
from tests.metrics.gaussians import features
from tests.programs import in_processes

D = 8


def figures(rank: int = 0, world_size: int = 1, batch: int = 64) -> dict[str, Tensor]:
    """Every metric on this process's share of real features; the generated ones are all of the first process."""
    frechet, kernel, neighbours = FrechetDistance(D), KernelDistance(), PrecisionRecall()
    matrix = FID3D(["ffhq"], D)
    for values, real in ((features(201, D), True), (features(150, D, seed=1) * 1.1, False)):
        share = values[rank::world_size] if real else values[: 150 if rank == 0 else 0]
        for part in share.split(batch):
            for metric in (frechet, kernel, neighbours):
                if len(part):
                    metric.update(part, real=real)
            if real:
                matrix.update_real("ffhq", part)
            for mode in () if real else matrix.modes:
                matrix.update(mode, part)
    estimate = kernel.compute()
    found = {"frechet": frechet.compute(), "kernel": estimate.value, "error": estimate.standard_error}
    found |= neighbours.compute() | matrix.compute()
    with frechet.sync_context(), matrix.sync_context():
        return found | {"counts": frechet.num_rows.clone(), "matrix counts": matrix.num_rows.clone()}


def posed_figures(rank: int = 0) -> dict[str, Tensor]:
    """Metrics of faces with poses, all of them in the first process: the second one sees none."""
    binned = PoseBinnedFrechet(PoseBins((-90, 0, 90), (-45, 45)), {"num_per_bin": 20, "components": 2})
    matched = PoseMatchedFrechet(options={"replicates": 4})
    for values, real in ((features(201, D), True), (features(150, D, seed=1) * 1.1, False)):
        angles = values[:, :2].double() * 0.15
        densities = torch.exp(-angles.square())
        if rank == 0:
            binned.update(values, angles, real=real)
            matched.update(values, angles, densities, real=real)
    by_yaw = torch.tensor(binned.compute().yaw.frechet, dtype=torch.float64)
    return {"binned": by_yaw, "matched": torch.tensor(matched.compute().value, dtype=torch.float64)}


def _worker(rank: int, world_size: int, folder: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/rendezvous", rank=rank, world_size=world_size)
    torch.save(figures(rank, world_size) | posed_figures(rank), Path(folder) / f"{rank}.pt")
    dist.destroy_process_group()


@pytest.mark.filterwarnings("ignore:The ``compute`` method:UserWarning")
def test_two_processes_agree_with_one(tmp_path: Path) -> None:
    in_processes(_worker, 2, str(tmp_path))
    expected = figures(batch=201) | posed_figures()
    assert expected["counts"].tolist() == [150, 201] and len(expected) == 14
    for rank in range(2):
        found = torch.load(tmp_path / f"{rank}.pt", weights_only=True)
        assert found.keys() == expected.keys()
        for name, value in expected.items():
            tolerance = 0 if "counts" in name else 1e-10
            torch.testing.assert_close(found[name], value, rtol=tolerance, atol=0, msg=name)
