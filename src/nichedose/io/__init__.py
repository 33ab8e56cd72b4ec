"""Files in and out, and nothing else."""
