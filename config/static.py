"""Static files under hashed names, so that a page never runs with the script of another release."""

from whitenoise.storage import CompressedManifestStaticFilesStorage

STANDARD = CompressedManifestStaticFilesStorage


class HashedStaticFilesStorage(CompressedManifestStaticFilesStorage):  # type: ignore[misc]
    """Also rewrites the imports between our script modules; packages' scripts may write imports in their comments."""

    patterns = (*STANDARD.patterns, ("js/*.js", STANDARD._js_module_import_aggregation_patterns[1]))
