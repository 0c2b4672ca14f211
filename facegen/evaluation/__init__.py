"""Recipes, generators and metrics together: figures with everything that it takes to trust them."""

from facegen.evaluation.evaluate import evaluate
from facegen.evaluation.plan import METRICS, NamedRecipe, Plan
from facegen.evaluation.results import Result

__all__ = ["METRICS", "NamedRecipe", "Plan", "Result", "evaluate"]
