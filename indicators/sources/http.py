"""Reading providers: polite, patient for a while, and never further than it was sent.

Pauses between requests, retries with back-off and jitter where a failure may pass, a cap on the
bytes and on the seconds of an answer, redirects on the same host only. What is told of a request
in a log or an error is its text with the secrets hidden.
"""

from __future__ import annotations

import json
import logging
import random
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Any, Self

import httpx
import tenacity

from indicators.sources.base import (
    CredentialsError,
    ExpiredError,
    Limits,
    PayloadError,
    RateLimitedError,
    RedirectError,
    Request,
    Secret,
    TooLargeError,
    UnreachableError,
)

__all__ = ["Http"]

LOG = logging.getLogger("tocsin.sources")
# httpx writes whole URLs, keys included, into its own log
for _name in ("httpx", "httpcore"):
    logging.getLogger(_name).setLevel(logging.CRITICAL)

TRIES = 5
LONGEST_PAUSE = 120.0
MOST_REDIRECTS = 5
AGENT = "tocsin (early-warning research)"


class _AgainError(Exception):
    """A failure that may pass: try once more, after a pause if one was asked for."""

    def __init__(self, found: str, pause: float | None = None) -> None:
        super().__init__(found)
        self.pause = pause


@dataclass
class Http:
    """A client of one source; a context manager.

    Parameters
    ----------
    source : str
        Named in errors.
    limits : Limits
        Its manners.
    sleep, clock, jitter : callable
        Replaced in tests.

    Attributes
    ----------
    requests : int
        Answers asked for so far, retries included.
    """

    source: str
    limits: Limits
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    jitter: Callable[[], float] = random.random
    requests: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        seconds = min(30.0, self.limits.timeout)
        self._client = httpx.Client(
            timeout=seconds, follow_redirects=False, trust_env=True, verify=_authorities()
        )
        self._last: float | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def json(self, request: Request) -> Any:
        """Return the parsed JSON of an answer.

        Parameters
        ----------
        request : Request
            What to ask.

        Raises
        ------
        PayloadError
            Not JSON.
        SourceError
            As in `content`.
        """
        body = self.content(request)
        try:
            return json.loads(body)
        except (ValueError, RecursionError) as error:
            raise PayloadError(
                "an answer that is not JSON", place=self._place(request),
                found=f"{type(error).__name__} in {len(body)} bytes", allowed="JSON in UTF-8",
            ) from None  # fmt: skip

    def content(self, request: Request) -> bytes:
        """Return the body of an answer.

        Parameters
        ----------
        request : Request
            What to ask.

        Raises
        ------
        UnreachableError
            No good answer after every try.
        RateLimitedError
            The pause asked for is too long.
        CredentialsError
            The answer is 401 or 403, or 400 to a form: as OAuth refuses a grant.
        PayloadError
            Another refusal, or another type of content.
        TooLargeError
            More bytes than the limit.
        RedirectError
            It leads to another host.
        """
        retry = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(_AgainError),
            stop=tenacity.stop_after_attempt(TRIES),
            wait=self._pause,
            sleep=self.sleep,
            reraise=True,
        )
        try:
            return retry(self._once, request)
        except _AgainError as error:
            raise UnreachableError(
                "no good answer", place=self._place(request), found=str(error),
                remedy=f"{TRIES} tries were made: try again later.",
            ) from None  # fmt: skip

    def _place(self, request: Request) -> str:
        return f"{self.source}: {request.shown().splitlines()[0]}"

    def _pause(self, state: tenacity.RetryCallState) -> float:
        """Return what was asked for, or twice as long each time; up to a quarter more."""
        error = state.outcome.exception() if state.outcome else None
        asked = error.pause if isinstance(error, _AgainError) else None
        base = (
            asked
            if asked is not None
            else min(self.limits.pause * 2.0 ** (state.attempt_number - 1), LONGEST_PAUSE / 2)
        )
        return base * (1 + 0.25 * self.jitter())

    def _polite(self) -> None:
        if self._last is not None:
            early = self._last + 1 / self.limits.per_second - self.clock()
            if early > 0:
                self.sleep(early)
        self._last = self.clock()

    def _once(self, request: Request) -> bytes:
        url = httpx.URL(request.url, params=_revealed(request.params))
        for _ in range(MOST_REDIRECTS):
            self._polite()
            self.requests += 1
            LOG.debug("%s", self._place(request))
            try:
                with self._client.stream(
                    request.method, url,
                    headers={"user-agent": AGENT} | _revealed(request.headers),
                    data=_revealed(request.form) or None,
                ) as answer:  # fmt: skip
                    if answer.is_redirect:
                        url = self._followed(url, answer, request)
                        continue
                    self._judge(answer, request)
                    return self._body(answer, request)
            except httpx.TransportError as error:
                raise _AgainError(type(error).__name__) from None
            except httpx.DecodingError:
                raise _AgainError("an answer that cannot be unpacked") from None
        raise UnreachableError("too many redirects", place=self._place(request))

    def _followed(self, url: httpx.URL, answer: httpx.Response, request: Request) -> httpx.URL:
        try:
            target = url.join(answer.headers.get("location", ""))
        except httpx.InvalidURL:
            target = httpx.URL("invalid:")
        if request.form:
            # a password is sent once, to the address it was meant for
            raise RedirectError("a form sent on", place=self._place(request),
                                found=target.host or "none", allowed="no redirect",
                                remedy="the provider has moved: upgrade tocsin.")  # fmt: skip
        here, there = (url.scheme, url.host, url.port), (target.scheme, target.host, target.port)
        if here != there:
            raise RedirectError(
                "sent to another host", place=self._place(request), found=target.host or "none",
                allowed=url.host, remedy="the provider has moved: upgrade tocsin.",
            )  # fmt: skip
        return target

    def _judge(self, answer: httpx.Response, request: Request) -> None:
        """Sort answers into good ones, ones that may pass, and final ones."""
        code, place = answer.status_code, self._place(request)
        if code in (httpx.codes.TOO_MANY_REQUESTS, httpx.codes.SERVICE_UNAVAILABLE):
            pause = _retry_after(answer.headers.get("retry-after", ""))
            if pause is not None and pause > LONGEST_PAUSE:
                raise RateLimitedError("asked to wait", place=place,
                                  found=f"{code}, a pause of {pause:.0f} s asked for",
                                  allowed=f"up to {LONGEST_PAUSE:.0f} s",
                                  remedy="refresh again later.")  # fmt: skip
            raise _AgainError(f"{code} {answer.reason_phrase}", pause)
        if code >= httpx.codes.INTERNAL_SERVER_ERROR:
            raise _AgainError(f"{code} {answer.reason_phrase}")
        if code == httpx.codes.UNAUTHORIZED:
            raise ExpiredError("refused", place=place, found=f"{code} {answer.reason_phrase}",
                               remedy="check the token: it may have expired.")  # fmt: skip
        if code == httpx.codes.FORBIDDEN or (request.form and code == httpx.codes.BAD_REQUEST):
            raise CredentialsError("refused", place=place, found=f"{code} {answer.reason_phrase}",
                                   remedy="check the credentials, and what the account may read.",
                                   )  # fmt: skip
        if code != httpx.codes.OK:
            raise PayloadError("an answer of another kind", place=place,
                             found=f"{code} {answer.reason_phrase}", allowed="200 OK")  # fmt: skip
        kind = answer.headers.get("content-type", "")
        if not any(word in kind for word in request.kinds):
            if request.busy and request.busy in self._body(answer, request).decode(
                errors="replace"
            ):
                raise _AgainError("asked to slow down")
            raise PayloadError("an answer of another type", place=place, found=kind or "none",
                             allowed=" or ".join(request.kinds))  # fmt: skip

    def _body(self, answer: httpx.Response, request: Request) -> bytes:
        """Read an answer as it comes: stop at too many bytes, or seconds."""
        body, begun = bytearray(), self.clock()
        for part in answer.iter_bytes():
            body += part
            if len(body) > self.limits.max_bytes:
                raise TooLargeError("an answer too long", place=self._place(request),
                               found=f"more than {self.limits.max_bytes:,} bytes",
                               remedy="ask for a shorter time, with --since.")  # fmt: skip
            if self.clock() - begun > self.limits.timeout:
                raise _AgainError(f"not done after {self.limits.timeout:g} s")
        return bytes(body)


@cache
def _authorities() -> ssl.SSLContext:
    """Certificates trusted, read once for all sources."""
    return httpx.create_ssl_context()


def _revealed(values: Any) -> dict[str, str]:
    return {k: v.reveal() if isinstance(v, Secret) else v for k, v in values.items()}


def _retry_after(text: str) -> float | None:
    """Seconds of a Retry-After header: a number, or an HTTP date."""
    text = text.strip()
    if not text:
        return None
    if text.isdigit():
        return float(text)
    try:
        when = parsedate_to_datetime(text)
    except ValueError:
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return max(0.0, (when - datetime.now(UTC)).total_seconds())
