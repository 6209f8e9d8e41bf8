"""
The virus check: files wait as "being checked" until a scanner has answered.

Any scanner fits that answers `scan(file)`; ClamAV's daemon by its socket is the one that is here. While it is away
files stay unchecked, and are asked about again with pauses.
"""

import asyncio
import datetime as dt
import logging
import socket
from typing import BinaryIO, Protocol
from urllib.parse import urlsplit

from django.conf import settings
from django.core.files.storage import default_storage

from config.clock import database_now
from config.threads import chores, in_thread
from conversations.actions.files import remove_stale, settle_scan
from conversations.models import Attachment
from conversations.states import ScanState

logger = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
CLEAN_UP_SECONDS = 600.0
AT_ONCE = 20
MOST_WAITING = 1000
ANSWER_SECONDS = 60.0
CHUNK = 64 * 1024
# How old a file is when it is asked about for the first, second, … time; later ones follow every five minutes.
AGES = (0, 10, 30, 70, 150, 310)
THEN_EVERY = 300
MOST_TRIES = 30_000


class ScannerAway(Exception):
    """No answer, or none that can be understood."""


class Scanner(Protocol):
    """Whatever can tell whether a file is clean."""

    def scan(self, file: BinaryIO) -> bool:
        """True for a clean file, False for an infected one; raises ScannerAway."""


class Clamav:
    """ClamAV's daemon, by its INSTREAM command."""

    def __init__(self, host: str, port: int) -> None:
        self.address = (host, port)

    def scan(self, file: BinaryIO) -> bool:
        """Send the file in chunks and read the verdict."""
        try:
            with socket.create_connection(self.address, timeout=ANSWER_SECONDS) as connection:
                connection.sendall(b"zINSTREAM\0")
                while chunk := file.read(CHUNK):
                    connection.sendall(len(chunk).to_bytes(4, "big") + chunk)
                connection.sendall(bytes(4))
                answer = _read_answer(connection)
        except OSError as problem:
            raise ScannerAway(str(problem)) from problem
        if answer.endswith(" OK"):
            return True
        if answer.endswith(" FOUND"):
            logger.warning("The virus check refused a file: %s", answer)
            return False
        raise ScannerAway(answer or "no answer")


def _read_answer(connection: socket.socket) -> str:
    answer = b""
    while not answer.endswith(b"\0") and len(answer) < CHUNK:
        part = connection.recv(4096)
        if not part:
            break
        answer += part
    return answer.rstrip(b"\0\n").decode("utf-8", "replace")


def configured() -> Scanner | None:
    """The scanner of the setting FILE_SCANNER, if there is one."""
    if not settings.FILE_SCANNER:
        return None
    place = urlsplit(settings.FILE_SCANNER)
    return Clamav(place.hostname or "", place.port or 3310)


async def run() -> None:
    """Ask about what waits for its check, until cancelled."""
    scanner = configured()
    while scanner is not None:
        await in_thread(check_waiting, pool=chores)(scanner)
        await asyncio.sleep(LOOK_SECONDS)
    await asyncio.Event().wait()


async def clean_up() -> None:
    """Remove files that were never posted, until cancelled."""
    while True:
        if removed := await in_thread(remove_stale, pool=chores)():
            logger.info("%d files that were never posted were removed.", removed)
        await asyncio.sleep(CLEAN_UP_SECONDS)


def check_waiting(scanner: Scanner) -> int:
    """Ask about every file whose turn it is; answers how many got their verdict."""
    now = database_now()
    waiting = Attachment.objects.filter(scan_state=ScanState.PENDING, created_at__lte=now).order_by("-created_at")
    due = [
        attachment
        for attachment in waiting[:MOST_WAITING]
        if _age(attachment, now) >= age_of_try(attachment.scan_tries)
    ]
    return sum(check(attachment, scanner, now) for attachment in due[:AT_ONCE])


def check(attachment: Attachment, scanner: Scanner, now: dt.datetime) -> bool:
    """Ask about one file, unless another process does; answers whether there is a verdict."""
    tries = attachment.scan_tries + 1
    while age_of_try(tries) <= _age(attachment, now) and tries < MOST_TRIES:
        tries += 1
    mine = Attachment.objects.filter(pk=attachment.pk, scan_tries=attachment.scan_tries, scan_state=ScanState.PENDING)
    if not mine.update(scan_tries=tries):
        return False
    try:
        file = default_storage.open(attachment.file.name or "")
    except OSError as problem:
        logger.warning("A file that waits for its virus check cannot be read (%s); trying again later.", problem)
        return False
    try:
        with file:
            is_clean = scanner.scan(file)  # type: ignore[arg-type]
    except (ScannerAway, OSError) as problem:
        logger.warning("The virus check did not answer (%s); asking again later.", problem)
        return False
    settle_scan(attachment.pk, is_clean=is_clean)
    return True


def age_of_try(tries: int) -> float:
    """How old a file is, in seconds, when it is asked about after so many tries."""
    if tries < len(AGES):
        return AGES[tries]
    return AGES[-1] + THEN_EVERY * (tries - len(AGES) + 1)


def _age(attachment: Attachment, now: dt.datetime) -> float:
    return (now - attachment.created_at).total_seconds()
