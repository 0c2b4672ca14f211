"""Finding what is wrong with a dataset before training does."""

from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from tqdm import tqdm

from facegen.data.headers import ImageError, ImageHeader, read_header, unusual
from facegen.data.problems import Problem, summarise
from facegen.data.reader import ImageReader
from facegen.data.recipe import Recipe

HEADER_BYTES = 65536


def quick_check(recipe: Recipe) -> None:
    """Read every header and raise one ValueError that names the first problems, if there are any."""
    problems = [problem for source in recipe.sources for problem in source.problems if problem.kind == "duplicate id"]
    problems += header_problems(recipe)
    if problems:
        roots = ",".join(str(source.root) for source in recipe.sources)
        where = roots if len(recipe.sources) == 1 else f"[{roots}]"
        raise ValueError(f"{summarise(problems)}. See them all: facegen data validate root={where}")


def header_problems(recipe: Recipe) -> list[Problem]:
    """What headers alone say is wrong with the images of a recipe under its own transform."""
    reader = ImageReader(recipe.rows)
    headers = list(tqdm(_headers(reader), "checking images", len(reader), unit="image", delay=2, leave=False))
    sizes = Counter((h.width, h.height) for h in headers if isinstance(h, ImageHeader))
    usual = sizes.most_common(1)[0][0] if sizes else (0, 0)
    problems = []
    for row, header in enumerate(headers):
        if isinstance(header, str):
            problems.append(Problem("unreadable", reader.where(row), header))
        elif found := _header_problem(header, recipe, usual):
            problems.append(Problem(found[0], reader.where(row), found[1]))
    return problems


def read_image_header(reader: ImageReader, row: int) -> ImageHeader:
    """Header of an image from its first 64 KiB, or from all of it where they do not suffice."""
    try:
        return read_header(reader.read(row, HEADER_BYTES))
    except ImageError:
        if reader.sizes[row] <= HEADER_BYTES:
            raise
        return read_header(reader.read(row))


def _headers(reader: ImageReader) -> Iterator[ImageHeader | str]:
    def one(row: int) -> ImageHeader | str:
        try:
            return read_image_header(reader, row)
        except ImageError as error:
            return str(error)

    with ThreadPoolExecutor(8) as pool:
        yield from pool.map(one, range(len(reader)))


def _header_problem(header: ImageHeader, recipe: Recipe, usual: Sequence[int]) -> tuple[str, str] | None:
    size = f"{header.width}x{header.height}"
    if (reason := unusual(header)) and not recipe.convert:
        return reason, "expected 8-bit RGB; convert the file, or set data.convert=true"
    if header.width != header.height and recipe.crop is None:
        return "not square", f"{size}; crop the file, or set data.crop=center"
    if not recipe.has_explicit_resolution and recipe.crop is None and (header.width, header.height) != tuple(usual):
        return "of another size", f"{size}, most are {usual[0]}x{usual[1]}; set data.resolution to resize all"
    if min(header.width, header.height) < recipe.resolution and not recipe.upscale:
        return (
            "too small",
            f"{size} for resolution {recipe.resolution}; lower data.resolution, or set data.upscale=true",
        )
    return None
