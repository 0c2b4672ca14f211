"""Assets: read from a folder in FFHQ-UV's layout, made for a model, brought to another size."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.io import savemat

from facegen.morphable.model import Basis, MorphableModel
from facegen.morphable.uv.assets import UVAssets
from facegen.morphable.uv.charts import chart_of, cylindrical_chart, landmark_pixels, rasterize_chart
from facegen.morphable.uv.ffhq_uv import BOXES, INFO_FILE, MASK_FILES, TEMPLATE_FILE, read_assets
from facegen.morphable.uv.own_assets import own_assets
from facegen.morphable.uv.paint import Canvas
from facegen.morphable.uv.unwrap import unwrap
from tests.morphable.uv.golden_unwrap import grid_lookup
from tests.morphable.uv.small import CAMERA, charted_model, coefficients

SIZE = 128


def write_assets(folder: Path, size: int = SIZE) -> None:
    """A whole folder for the small model: its grid, a template of two colours, masks of rectangles."""
    lookup = grid_lookup(24, size)
    savemat(folder / INFO_FILE, {"uv_idx_v_idx": lookup.vertices[::-1], "uv_idx_bw": lookup.weights[::-1]})
    template = np.full((size, size, 3), 120, np.uint8)
    template[:, : size // 2] = 160
    Image.fromarray(template).save(folder / TEMPLATE_FILE)
    mask = np.zeros((size, size), np.uint8)
    mask[size // 8 : -size // 8, size // 8 : -size // 8] = 255
    for name, file in MASK_FILES.items():
        empty = name in ("hair", "nostril", "nasal_base", "mouth", "center")
        Image.fromarray(mask * (not empty) if name != "info" else mask * 0 + 255).save(folder / file)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_assets(tmp_path)
    return tmp_path


def test_a_folder_is_read_with_its_names_and_scaled_boxes(folder: Path) -> None:
    assets = read_assets(folder)
    assert assets.size == SIZE and set(assets.valid) == {"front", "left", "right"}
    assert len(MASK_FILES) == 14
    assert assets.whole.major.mean() == pytest.approx((3 / 4) ** 2)
    assert [[edge * 8 for edge in box] for box in assets.boxes] == [pytest.approx(list(box), abs=4) for box in BOXES]
    assert assets.template[0, 0].tolist() == [160] * 3 and assets.lookup.vertices.max() < 24 * 24


def test_a_fit_is_unwrapped_with_such_a_folder(folder: Path) -> None:
    model = charted_model().with_perspective(CAMERA)
    images = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    found = unwrap(model, coefficients(model), images, size=64, assets=read_assets(folder))
    assert found.texture.shape == (1, 3, 64, 64) and found.mask.mean() > 0.3
    assert found.texture.isfinite().all()


def replaced(folder: Path, name: str, content: bytes | None) -> Path:
    (folder / name).unlink()
    if content is not None:
        (folder / name).write_bytes(content)
    return folder


def test_bad_folders_are_refused_in_one_line(folder: Path) -> None:
    with pytest.raises(ValueError, match="is no folder"):
        read_assets(folder / "nowhere")
    original = (folder / INFO_FILE).read_bytes()
    with pytest.raises(ValueError, match=r"no readable \.mat file"):
        read_assets(replaced(folder, INFO_FILE, b"nonsense"))
    savemat(folder / INFO_FILE, {"uv_idx_bw": np.zeros((4, 4, 3))})
    with pytest.raises(ValueError, match="lacks uv_idx_v_idx"):
        read_assets(folder)
    savemat(folder / INFO_FILE, {"uv_idx_bw": np.zeros((4, 5, 3)), "uv_idx_v_idx": np.zeros((4, 5, 3))})
    with pytest.raises(ValueError, match="expected twice"):
        read_assets(folder)
    savemat(folder / INFO_FILE, {"uv_idx_bw": np.full((4, 4, 3), np.nan), "uv_idx_v_idx": np.zeros((4, 4, 3))})
    with pytest.raises(ValueError, match="damaged"):
        read_assets(folder)
    with pytest.raises(ValueError, match="no readable picture"):
        read_assets(replaced(replaced(folder, INFO_FILE, original), TEMPLATE_FILE, b"nonsense"))
    with pytest.raises(ValueError, match=r"lacks hair_mask\.png \(1 of 16 files\)"):
        read_assets(replaced(folder, MASK_FILES["hair"], None))


def test_vertices_that_the_model_does_not_have_are_refused(folder: Path) -> None:
    savemat(folder / INFO_FILE, {"uv_idx_bw": np.ones((64, 64, 3)), "uv_idx_v_idx": np.full((64, 64, 3), 9999)})
    model = charted_model()
    with pytest.raises(ValueError, match="another mesh"):
        unwrap(model, coefficients(model), torch.zeros(1, 3, 64, 64), size=64, assets=read_assets(folder))


def test_assets_follow_the_size_that_is_asked_for() -> None:
    assets = own_assets(charted_model(), 256)
    half = assets.at(128)
    assert half.size == 128 and assets.at(256) is assets
    assert half.lookup.vertices.shape == (128, 128, 3) and half.center.mean() == pytest.approx(
        assets.center.mean(), rel=0.1
    )
    assert np.abs(np.array(half.boxes) * 2 - np.array(assets.boxes)).max() <= 1
    with pytest.raises(ValueError, match="at least 16"):
        assets.at(8)


def test_the_models_own_assets_lie_where_its_landmarks_are() -> None:
    model = charted_model()
    assets = own_assets(model, SIZE)
    points = np.round(landmark_pixels(model, chart_of(model), SIZE)).astype(int)
    for number in (36, 39, 42, 45, 48, 54, 31, 35):
        column, row = points[number]
        assert assets.center[row, column] == 1
        assert any(r0 <= row < r1 and c0 <= column < c1 for r0, r1, c0, c1 in assets.boxes)
    columns = np.arange(SIZE)
    centre = {view: (valid.major * columns).sum() / valid.major.sum() for view, valid in assets.valid.items()}
    assert centre["right"] < centre["front"] < centre["left"]


def test_a_chart_is_rasterised_to_the_vertices_that_lie_there() -> None:
    model = charted_model()
    chart = chart_of(model)
    lookup = rasterize_chart(model, chart, SIZE)
    u, v = lookup(chart.coordinates.numpy()).transpose(2, 0, 1)
    covered = lookup.weights.sum(axis=-1) > 0
    centres = (np.arange(SIZE) + 0.5) / SIZE
    np.testing.assert_allclose(u[covered], np.broadcast_to(centres, u.shape)[covered], atol=1e-5)
    np.testing.assert_allclose(v[covered], np.broadcast_to(1 - centres[:, None], v.shape)[covered], atol=1e-5)


def tube(columns: int = 24, rows: int = 6) -> MorphableModel:
    """A closed cylinder around the axis of heads."""
    angle = torch.arange(columns) / columns * 2 * torch.pi - torch.pi
    y, a = torch.meshgrid(torch.linspace(-1, 1, rows), angle, indexing="ij")
    points = torch.stack([a.sin(), y, a.cos() - 0.596], dim=-1).reshape(-1, 3)
    index = torch.arange(rows * columns).reshape(rows, columns)
    right = index.roll(-1, dims=1)
    a, b, c, d = index[:-1].flatten(), right[:-1].flatten(), index[1:].flatten(), right[1:].flatten()
    triangles = torch.cat([torch.stack([a, b, c], dim=1), torch.stack([b, d, c], dim=1)])
    nothing = torch.zeros(0, len(points), 3)
    landmarks = torch.arange(68)
    basis = Basis(points, nothing, nothing, torch.full_like(points, 0.5), nothing, triangles, landmarks, recentre=False)
    return MorphableModel(basis, name="tube")


def test_a_model_without_a_chart_gets_a_cylinder_that_is_cut_at_the_back() -> None:
    model = tube()
    chart = cylindrical_chart(model)
    assert model.uv is None and chart_of(model).coordinates.shape == chart.coordinates.shape
    place = chart.coordinates[chart.triangles]
    assert float((place[..., 0].amax(dim=1) - place[..., 0].amin(dim=1)).max()) < 0.2  # none across the texture
    lookup = rasterize_chart(model, chart, 64)
    front = lookup(model.mean_shape.numpy())[32, 32]
    np.testing.assert_allclose(front, [0, 0, 0.4], atol=0.05)
    left_of_it = lookup(model.mean_shape.numpy())[32, 20]
    assert left_of_it[0] < 0


def test_a_canvas_refuses_squares_of_another_size() -> None:
    assets: UVAssets = own_assets(charted_model(), 64)
    canvas = Canvas.of(assets)
    with pytest.raises(ValueError, match="draws 32 x 32"):
        canvas.paint(torch.zeros(1, 3, 32, 32))
    small = canvas._replace(rows=slice(100, 132), columns=slice(200, 232))
    painted = small.paint(torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0)))
    assert painted.shape == (1, 3, 64, 64) and small.finish(painted).shape == (1, 3, 64, 64)
