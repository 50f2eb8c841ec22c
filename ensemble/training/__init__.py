"""Training one network of one member and fold; the only importer of Lightning.

`job` names a training and its files, `fit` carries it out. A training is a pure function of the
data, the folds, the settings and the seed: what a step sees depends on its epoch and its number
alone, so a training that was killed and is resumed ends the same.
"""

import ensemble.networks  # noqa: F401  (before Lightning: see its docstring)
