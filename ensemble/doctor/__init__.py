"""What `ens doctor` checks before the long work: the machine, the data, and what it will cost."""
