"""Why a cloud did not do what it was asked for: the one family of errors that drivers raise."""

from __future__ import annotations

#: Most characters of what a cloud says that are passed on.
MAX_MESSAGE_LENGTH = 2000


class CloudError(Exception):
    """The cloud did not do it; `permanent` says that asking again will not help.

    `message` is for a person, `str()` has the id of the request as well, by which the cloud's operators find it.
    """

    permanent = True
    #: The pause before another attempt, in seconds; None leaves it to who asks.
    retry_after: float | None = None
    #: Whether what was asked for was done all the same.
    done = False

    def __init__(self, message: str, *, request_id: str | None = None) -> None:
        super().__init__(message)
        self.message = _storable(message)
        self.request_id = request_id and _storable(request_id)

    def __str__(self) -> str:
        return f"{self.message} (request {self.request_id})" if self.request_id else self.message


def _storable(words: str) -> str:
    """What every database takes: the words of a cloud may have anything in them, and any length."""
    return words[:MAX_MESSAGE_LENGTH].replace("\0", "").encode(errors="replace").decode()


class CloudRefused(CloudError):
    """The cloud understood and said no (a limit, another network, a wrong value); nothing was changed."""


class NotOffered(CloudRefused):
    """The cloud does not have what was asked for: an extension, an action, the address itself."""


class CredentialsRefused(CloudError):
    """The credentials are wrong, have ended, or may not do this."""


class NotAllowed(CredentialsRefused):
    """The credentials are good, and may not do this."""


class InstanceGone(CloudError):
    """The instance does not exist any more, or is on its way out."""


class InUse(CloudRefused):
    """What was to be deleted is needed by something else, which the message names where the cloud shows it."""


class AlreadyThere(CloudRefused):
    """What was to be made is there already; for a rule, whatever its description says."""


class GroupNotFound(CloudError):
    """The cloud has no such group where it was looked for."""


class RuleNotFound(CloudError):
    """The group has no such rule."""


class Throttled(CloudError):
    """The cloud wants us to slow down; `retry_after` is the pause it asked for, in seconds."""

    permanent = False

    def __init__(self, message: str, *, request_id: str | None = None, retry_after: float | None = None) -> None:
        super().__init__(message, request_id=request_id)
        self.retry_after = retry_after


#: A request that ends so is one for something that is not there for us.
ABSENT = (NotOffered, NotAllowed)


class Outdated(CloudError):
    """What was to be written has changed since it was read, and was not written: to be read again at once."""

    permanent = False
    retry_after = 0.0


class CloudUnavailable(CloudError):
    """No answer, or a failure on the cloud's side: whether a write was done is unknown."""

    permanent = False


class Unfit(CloudError):
    """The cloud's answer has a value that fits nowhere; `done` where it is that to a write."""

    def __init__(self, message: str, *, done: bool) -> None:
        super().__init__(message)
        self.done = done


class ForeignAnswer(CloudUnavailable):
    """A good status with something else than what was asked for: a login page, a proxy's page, nothing."""


class AnswerTooLarge(CloudError):
    """The answer is larger than the settings allow, and was not read to its end."""
