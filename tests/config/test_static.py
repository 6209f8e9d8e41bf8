import json

from django.core.management import call_command


def test_every_file_that_styles_and_scripts_name_is_there(settings, tmp_path):
    settings.STATIC_ROOT = tmp_path

    call_command("collectstatic", interactive=False, verbosity=0)

    names = json.loads((tmp_path / "staticfiles.json").read_text(encoding="utf-8"))["paths"]
    assert names["css/base.css"] != "css/base.css"


def test_scripts_import_each_other_by_their_hashed_names(settings, tmp_path):
    settings.STATIC_ROOT = tmp_path

    call_command("collectstatic", interactive=False, verbosity=0)

    names = json.loads((tmp_path / "staticfiles.json").read_text(encoding="utf-8"))["paths"]
    scripts = [name for name in names if name.startswith("js/")]
    served = [(tmp_path / names[name]).read_text(encoding="utf-8") for name in scripts]
    for name in scripts:
        plain = name.removeprefix("js/")
        assert not any(f'from "./{plain}"' in text for text in served)
