"""The customer's device as people say it: "Firefox on Android", from the browser's own long line."""

from functools import lru_cache

import ua_parser
from django.utils.translation import gettext as _

# What the browsers call themselves on phones is the same browser to an agent.
BROWSERS = {
    "Chrome Mobile": "Chrome",
    "Chrome Mobile iOS": "Chrome",
    "Chrome Mobile WebView": "Chrome",
    "HeadlessChrome": "Chrome",
    "Edge Mobile": "Edge",
    "Firefox Mobile": "Firefox",
    "Firefox iOS": "Firefox",
    "Mobile Safari": "Safari",
    "Mobile Safari UI/WKWebView": "Safari",
    "Opera Mobile": "Opera",
}
SYSTEMS = {"Mac OS X": "macOS", "Chrome OS": "ChromeOS", "Ubuntu": "Linux", "Fedora": "Linux", "Debian": "Linux"}


def device_of(user_agent: str) -> str:
    """Browser and system in the language that is active; what names only one of them, or none, is unknown: empty."""
    browser, system = _names(user_agent)
    return _("%(browser)s on %(system)s") % {"browser": browser, "system": system} if browser and system else ""


@lru_cache(maxsize=1024)
def _names(user_agent: str) -> tuple[str, str]:
    found = ua_parser.parse(user_agent)
    browser = found.user_agent.family if found.user_agent else ""
    system = found.os.family if found.os else ""
    return BROWSERS.get(browser, browser), SYSTEMS.get(system, system)
