"""The command `ens`: one verb, one file."""
