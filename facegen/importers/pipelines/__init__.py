"""Folders of diffusers: pipelines and their components, in and out."""

from facegen.importers.pipelines.read import is_pipeline_folder, load_pipeline
from facegen.importers.pipelines.write import export_pipeline

__all__ = ["export_pipeline", "is_pipeline_folder", "load_pipeline"]
