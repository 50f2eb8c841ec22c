"""Many trainings: in this process, one process a GPU, on a Dask cluster, or one over many GPUs."""
