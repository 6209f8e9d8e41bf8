"""Static files under hashed names, so that a page never runs with the script of another release."""

from whitenoise.storage import CompressedManifestStaticFilesStorage


class HashedStaticFilesStorage(CompressedManifestStaticFilesStorage):
    """Also rewrites the imports between our script modules."""

    support_js_module_import_aggregation = True
