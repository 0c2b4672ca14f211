"""Studies: several trainings and their evaluations, compared on one page."""

from facegen.study.definition import Study
from facegen.study.reading import read_study

__all__ = ["Study", "read_study"]
