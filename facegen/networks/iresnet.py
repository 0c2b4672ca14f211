"""The improved residual network that ArcFace embeddings come from (Deng et al. 2019; blocks of Duta et al. 2020).

Names of parameters are those of InsightFace's `arcface_torch`: `backbone.pth` of its r18, r34, r50 and r100.
"""

from collections.abc import Mapping

from jaxtyping import Float
from torch import Tensor, nn

INPUT_SIZE, NUM_FEATURES = 112, 512
BLOCKS = {"r18": (2, 2, 2, 2), "r34": (3, 4, 6, 3), "r50": (3, 4, 14, 3), "r100": (3, 13, 30, 3)}
_WIDTHS = (64, 128, 256, 512)
_EPS = 1e-5


class Block(nn.Module):
    """Norm, 3x3, norm, PReLU, 3x3 with the stride, norm, plus the input (1x1 where its shape differs)."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(inputs, eps=_EPS)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs, eps=_EPS)
        self.prelu = nn.PReLU(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, stride, padding=1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs, eps=_EPS)
        self.downsample = nn.Sequential()
        if stride > 1 or inputs != outputs:
            shortcut = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
            self.downsample = nn.Sequential(shortcut, nn.BatchNorm2d(outputs, eps=_EPS))

    def forward(self, x: Float[Tensor, "batch channel height width"]) -> Tensor:
        """The block's output."""
        y = self.bn2(self.conv1(self.bn1(x)))
        return self.bn3(self.conv2(self.prelu(y))) + self.downsample(x)


class IResNet(nn.Module):
    """Aligned faces (N, 3, 112, 112) in [-1, 1], RGB, to embeddings (N, 512), not normalised to unit length.

    kind: `r18`, `r34`, `r50` or `r100`. In evaluation mode it is differentiable in the images: for identity losses.
    """

    def __init__(self, kind: str = "r50") -> None:
        super().__init__()
        if kind not in BLOCKS:
            raise ValueError(f"IResNet: got {kind!r}, expected one of {', '.join(BLOCKS)}")
        self.init_kwargs = {"kind": kind}
        self.conv1 = nn.Conv2d(3, _WIDTHS[0], 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(_WIDTHS[0], eps=_EPS)
        self.prelu = nn.PReLU(_WIDTHS[0])
        inputs = _WIDTHS[0]
        for number, (count, width) in enumerate(zip(BLOCKS[kind], _WIDTHS, strict=True), start=1):
            blocks = [Block(inputs if i == 0 else width, width, 2 if i == 0 else 1) for i in range(count)]
            self.add_module(f"layer{number}", nn.Sequential(*blocks))
            inputs = width
        self.bn2 = nn.BatchNorm2d(inputs, eps=_EPS)
        self.fc = nn.Linear(inputs * (INPUT_SIZE // 16) ** 2, NUM_FEATURES)
        self.features = nn.BatchNorm1d(NUM_FEATURES, eps=_EPS)

    def forward(self, faces: Float[Tensor, "batch 3 112 112"]) -> Float[Tensor, "batch 512"]:
        """Embeddings; their cosine says how alike two faces are."""
        if faces.ndim != 4 or tuple(faces.shape[1:]) != (3, INPUT_SIZE, INPUT_SIZE):
            raise ValueError(f"IResNet: got shape {tuple(faces.shape)}, expected (N, 3, {INPUT_SIZE}, {INPUT_SIZE})")
        x = self.prelu(self.bn1(self.conv1(faces)))
        for number in range(1, len(_WIDTHS) + 1):
            x = self.get_submodule(f"layer{number}")(x)
        return self.features(self.fc(self.bn2(x).flatten(1)))


def kind_of(state: Mapping[str, Tensor]) -> str:
    """Which network a file's tensors belong to, by the number of its blocks. Raises ValueError where it is none."""
    for kind, counts in BLOCKS.items():
        last = {f"layer{number}.{count - 1}.conv1.weight" for number, count in enumerate(counts, start=1)}
        beyond = {f"layer{number}.{count}.conv1.weight" for number, count in enumerate(counts, start=1)}
        if last <= state.keys() and not beyond & state.keys():
            return kind
    raise ValueError(f"IResNet: these tensors belong to none of {', '.join(BLOCKS)}")
