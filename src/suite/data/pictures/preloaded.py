# ruff: noqa: E402, F401
"""Imported by the process that workers for a distant store come from, and by nothing else, see processes.py.

What is imported here is imported once, and each worker has it when it starts.
"""

import os

# Out of reach of signals to the run's process group, as the workers are, see loading.py: they end when it does.
os.setpgrp()

import fsspec.implementations.http

import suite.data.pictures.loading
import suite.data.pictures.tasks
