from __future__ import annotations

import pytest

from ensemble.config_text import config_text
from ensemble.workspace import Workspace
from tests.cli.test_status import tune
from tests.conftest import UNTRAINED


@pytest.fixture
def workspace(make_workspace) -> Workspace:
    """A small workspace whose members need no training, tuned."""
    workspace, settings = make_workspace(n_train=4, n_test=2, **UNTRAINED)
    workspace.config_file.write_text(config_text(settings))
    tune(workspace, settings)
    return workspace
