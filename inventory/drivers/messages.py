"""What drivers of every cloud say of connections and answers. What only one cloud says is in its own folder."""

from __future__ import annotations

from collections.abc import Collection, Iterable

# Groups

NO_SUCH_GROUP = "There is no such security group."
IN_USE = "The security group is in use."


def in_use(users: str) -> str:
    return f"{IN_USE} {users}".strip()


def users(kind: str, ports: Collection[str], groups: Collection[str]) -> str:
    """What uses a group: ports, in the cloud's word for them, and rules of these groups (refs)."""
    sentences = []
    if ports:
        sentences.append(f"It is attached to the {kind}: {', '.join(sorted(ports))}.")
    if groups:
        sentences.append(f"Rules of these groups refer to it: {', '.join(sorted(groups))}.")
    return " ".join(sentences)


def port_of(port: str, instance: str | None) -> str:
    return f"{port} of {instance or 'no instance'}"


# Connections


NOT_A_URL = "Enter an http or https URL."
CREDENTIALS_IN_URL = (
    "A URL must not have a user or a password, because URLs are shown and logged. Enter the URL without them, and "
    "the credentials separately."
)


def not_a_url(kind: str, url: str) -> str:
    return f"The provider's URL is not a valid URL of {kind} (https://host[:port]): {url}"


def address_refused(host: str, address: str, kind: str) -> str:
    return f"{_resolved(host, address, kind)} Portcullis never connects to those."


def address_refused_by_setting(host: str, address: str, kind: str) -> str:
    return f"{_resolved(host, address, kind)} CLOUD_REFUSED_NETWORKS and CLOUD_ALLOWED_NETWORKS do not allow it."


def _resolved(host: str, address: str, kind: str) -> str:
    subject = host if host == address else f"{host} resolves to {address}, which"
    article = "an" if kind == "unspecified" else "a"
    return f"{subject} is {article} {kind} address."


def not_a_network(text: str, reason: str, words: Iterable[str]) -> str:
    others = "".join(f", or {word}" for word in words)
    return f"{text} is not a network ({reason}). Use a network such as 192.0.2.0/24{others}."


def never_allowed(network: str, kind: str) -> str:
    return f"{network} can't be allowed: Portcullis never connects to {kind} addresses."


def not_a_certificate(error: object) -> str:
    return f"The provider's certificate authority is not a PEM certificate: {error}"


#: For people who may not see the provider.
NOT_DONE = "It failed at the cloud. Ask somebody who may see the provider for the reason."
NO_ANSWER = "The cloud did not answer in time. If this continues, contact its operators."


def about_tls(words: str) -> str:
    """What to do if TLS fails; `words` are those of OpenSSL."""
    if "certificate has expired" in words:
        return "The endpoint's certificate has expired. Its operators have to renew it."
    if any(sign in words for sign in ("Hostname mismatch", "IP address mismatch", "doesn't match")):
        return "The endpoint's certificate is for another host. Check the provider's address."
    if "CERTIFICATE_VERIFY_FAILED" in words:
        return "The endpoint's certificate is not trusted. Set its certificate authority."
    return "The endpoint does not speak TLS. Check the security protocol."


def about_the_network(words: str) -> str:
    """What to do if nothing answers at an address."""
    if any(sign in words for sign in ("NameResolutionError", "Name or service not known", "Failed to resolve")):
        return "The host name can't be resolved. Check the provider's address."
    return "The cloud can't be reached. Check the provider's address, and firewalls on the way."


# Answers

FOREIGN = (
    "The cloud did not return a valid response. Check the provider's address. A login page may be in the way."
)
ANSWER_TOO_SLOW = "The answer took longer than CLOUD_ANSWER_TIME allows."


def answer_too_large(megabytes: int) -> str:
    return f"The cloud's answer is larger than {megabytes} MB. If that is expected, raise CLOUD_ANSWER_SIZE."


def list_too_long(key: str, most: int) -> str:
    return f"The cloud's list of {key} has more than {most:,} entries. If that is expected, raise CLOUD_LIST_SIZE."


OTHER_PATH, NO_ADDRESS = "another path", "an invalid address"


def redirected(place: str) -> str:
    return (
        f"The endpoint redirects to {place}. Credentials are never sent to a redirect. Correct the provider's "
        "address, or the service's address in the cloud's catalog."
    )


def repeated_page(key: str) -> str:
    return f"The cloud's list of {key} is endless: a page refers back to an earlier one."


def empty_pages(key: str, number: int) -> str:
    return f"The cloud's list of {key} is endless: {number} pages in a row are empty."


# Providers that can't be changed

READABLE = "May read the inventory."


def read_only(vendor: str) -> str:
    return f"A provider of type {vendor} is read-only."


def no_instance(ref: str) -> str:
    return f"The instance {ref} does not exist."
