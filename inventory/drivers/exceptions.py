"""The errors that drivers raise."""

from __future__ import annotations

from collections.abc import Callable

from inventory.drivers.messages import NOT_DONE

#: Maximum length of a message.
MAX_MESSAGE_LENGTH = 2000


class CloudError(Exception):
    """The cloud did not do it. `permanent` says that a retry will not help.

    `message` is for people. `str()` also has the request id, which helps the cloud's operators.

    Both may say what answers at an address, and what it said there. People who may not see the provider must not
    learn that: see `in_general`. This class itself is for reasons of Portcullis's own, the others are for those of
    clouds.
    """

    permanent = True
    #: The pause before a retry, in seconds; None leaves it to the caller.
    retry_after: float | None = None
    #: Whether the request was done nevertheless.
    done = False

    def __init__(self, message: str, *, request_id: str | None = None, general: str | None = None) -> None:
        super().__init__(message)
        self.message = _storable(message)
        self.request_id = request_id and _storable(request_id)
        self.general = general

    def __str__(self) -> str:
        return f"{self.message} (request {self.request_id})" if self.request_id else self.message

    def in_general(self) -> CloudError:
        """The error for people who may not see the provider: without what only the cloud can have said.

        It has the message `general`, or the same one if it is known to be in our own words.
        """
        if self.general is not None:
            return CloudError(self.general)
        return self if type(self) is CloudError or isinstance(self, OF_RESOURCES) else CloudError(NOT_DONE)

    def reworded(self, kind: type[CloudError], words: Callable[[str], str] = str) -> CloudError:
        """The same as another kind of error, with both messages in other words."""
        return kind(words(self.message), request_id=self.request_id, general=words(self.in_general().message))


def _storable(text: str) -> str:
    """A text that every database can store. A cloud may send any characters, at any length."""
    return text[:MAX_MESSAGE_LENGTH].replace("\0", "").encode(errors="replace").decode()


class CloudRefused(CloudError):
    """The cloud refused the request (a limit, another network, an invalid value) and changed nothing."""


class AddressRefused(CloudRefused):
    """The host has only addresses that Portcullis does not connect to. Nothing was sent."""


class NotOffered(CloudRefused):
    """The cloud does not support this extension, action or address."""


class CredentialsRefused(CloudError):
    """The credentials are wrong, expired, or lack the permission."""


class NotAllowed(CredentialsRefused):
    """The credentials are valid, but lack the permission."""


class InstanceGone(CloudError):
    """The instance no longer exists, or is being deleted."""


class InUse(CloudRefused):
    """The thing to delete is in use. The message names the users, if the cloud shows them."""


class AlreadyThere(CloudRefused):
    """The thing to create already exists; a rule, with any description."""


class GroupNotFound(CloudError):
    """The cloud has no such group in that place."""


class RuleNotFound(CloudError):
    """The group has no such rule."""


class Throttled(CloudError):
    """The cloud's rate limit was exceeded. `retry_after` is the requested pause, in seconds."""

    permanent = False

    def __init__(self, message: str, *, retry_after: float | None = None, **kwargs: str | None) -> None:
        super().__init__(message, **kwargs)
        self.retry_after = retry_after


#: Errors that mean that an optional feature is not available.
ABSENT = (NotOffered, NotAllowed)


class Outdated(CloudError):
    """The target has changed since it was read, and was not written. Read it again at once."""

    permanent = False
    retry_after = 0.0


class CloudUnavailable(CloudError):
    """No answer, or a failure of the cloud. It is unknown whether a write was done."""

    permanent = False


class Unfit(CloudError):
    """The cloud's answer has a value that does not fit. `done` if it was the answer to a write."""

    def __init__(self, message: str, *, done: bool) -> None:
        super().__init__(message)
        self.done = done


class ForeignAnswer(CloudUnavailable):
    """A good status with an unexpected body: a login page, a proxy's page, nothing."""


class AnswerTooLarge(CloudError):
    """The answer is larger than the settings allow, and was not read completely."""


#: Errors about resources. Without a general message they are in the words of a driver.
OF_RESOURCES = (AlreadyThere, GroupNotFound, InstanceGone, InUse, Outdated, RuleNotFound, Unfit)
