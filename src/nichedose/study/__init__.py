"""The study: the only room that knows the order of the chain."""

from nichedose.study.plan import run_plan

__all__ = ["run_plan"]
