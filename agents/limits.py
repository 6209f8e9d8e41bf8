"""How often anybody may try to sign in."""

from django.conf import settings
from django.utils.translation import gettext_lazy as _
from limits import RateLimitItemPerMinute

from config.rates import check_everywhere

SENTENCE = _("Too many tries to sign in. Try again in %(seconds)s seconds.")
TRIES_PER_ADDRESS = 5  # so many agents may mistype behind one address


def check_sign_in(address: str, username: str) -> None:
    """
    Raises TooFast when this address tried this name, or any names, too often within a minute.

    Nobody can lock another out from elsewhere: the name counts only together with the address.
    """
    often = settings.SIGN_INS_PER_MINUTE
    check_everywhere(RateLimitItemPerMinute(often), SENTENCE, "sign-in", address, username.casefold()[:150])
    check_everywhere(RateLimitItemPerMinute(often * TRIES_PER_ADDRESS), SENTENCE, "sign-in", address)
