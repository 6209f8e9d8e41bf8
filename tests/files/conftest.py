import pytest
from django.core.files.storage import default_storage

from config import rates


@pytest.fixture(autouse=True)
def own_folder(settings, tmp_path):
    """No test sees another one's files, nor what another one sent."""
    settings.MEDIA_ROOT = tmp_path / "files"
    rates.forget_all()
    yield settings.MEDIA_ROOT
    rates.forget_all()


@pytest.fixture
def stored(own_folder):
    """The names of what is stored now: `stored()`."""

    def names():
        return sorted(str(path.relative_to(own_folder)) for path in own_folder.rglob("*") if path.is_file())

    assert default_storage.location == str(own_folder)
    return names
