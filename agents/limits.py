"""How often anybody may try a password: to sign in, or to change his own."""

import unicodedata

from django.conf import settings
from django.utils.translation import gettext_lazy as _
from limits import RateLimitItem, RateLimitItemPerMinute

from config.rates import check_everywhere, forgive_everywhere

SENTENCE = _("Too many tries to sign in. Try again in %(seconds)s seconds.")
OWN_PASSWORD_SENTENCE = _("Too many tries with the old password. Try again in %(seconds)s seconds.")
LONGEST_NAME = 150
TRIES_PER_ADDRESS = 20  # so many agents may come to work behind one address


def check_sign_in(address: str, username: str) -> None:
    """
    Raises TooFast when this address tried this name, or any names, too often within a minute.

    Nobody can lock another out from elsewhere: the name counts only together with the address.
    """
    check_everywhere(_per_name(), SENTENCE, *_name(address, username))
    most = settings.SIGN_INS_PER_MINUTE * TRIES_PER_ADDRESS
    check_everywhere(RateLimitItemPerMinute(most), SENTENCE, "sign-in", address)


def signed_in(address: str, username: str) -> None:
    """Who knew the password was not guessing: his tries count no more."""
    forgive_everywhere(_per_name(), *_name(address, username))


def check_own_password(agent_id: int) -> None:
    """Raises TooFast when an agent's own password was tried too often within a minute, in whichever of his sessions."""
    check_everywhere(_per_name(), OWN_PASSWORD_SENTENCE, "own-password", str(agent_id))


def knew_own_password(agent_id: int) -> None:
    """Who knew his password was not guessing: his tries count no more."""
    forgive_everywhere(_per_name(), "own-password", str(agent_id))


def _per_name() -> RateLimitItem:
    return RateLimitItemPerMinute(settings.SIGN_INS_PER_MINUTE)


def _name(address: str, username: str) -> tuple[str, str, str]:
    """One count for each account: in all spellings that the form takes for its name, and in those nearly so."""
    name = username.strip()
    if len(name) <= LONGEST_NAME:  # as in the form; a longer one is nobody's, and slow to normalise
        name = unicodedata.normalize("NFKC", name)
    return ("sign-in", address, name.casefold()[:LONGEST_NAME])
