"""The services of this app, which the API, the admin and the commands call."""

from inventory.services.audience import Audience, may_see
from inventory.services.events import (
    cause_of_refresh,
    cause_of_request,
    cause_of_task,
    found_at_cloud,
    on_behalf_of,
    record_event,
)
from inventory.services.grants import edit_grant, give_grant, record_loss, take_grant
from inventory.services.keys import rotate_credentials, unreadable_credentials
from inventory.services.parents import settle_unfinished
from inventory.services.parts import Part, queue_parts
from inventory.services.providers import (
    connect_provider,
    delete_provider,
    edit_provider,
    request_deletion,
    request_refresh,
    request_refresh_of,
)
from inventory.services.queueing import QueueFull, TaskSpec, keep_refused, queue_work
from inventory.services.ranks import Rank
from inventory.services.retries import ProviderRetries, TaskRetries, ensure_same_connection
from inventory.services.rights import OwnersRights
from inventory.services.task_actions import NotInTime, cancel_task, delete_task, retry_task
from inventory.services.tasks import (
    TaskResult,
    begin,
    complete_tasks,
    finish,
    note,
    put_back,
    readable,
    save_all,
)
from inventory.services.tokens import (
    LoginEnded,
    TokenLogin,
    TooManyTokens,
    create_token,
    issue_token,
    latest_end,
    parse_networks,
    revoke_token,
)
from inventory.services.verification import Verdict, verify_credentials
from inventory.services.waiting import TooManyWaiting, waiting_for_clouds

__all__ = [
    "Audience",
    "LoginEnded",
    "NotInTime",
    "OwnersRights",
    "Part",
    "ProviderRetries",
    "QueueFull",
    "Rank",
    "TaskResult",
    "TaskRetries",
    "TaskSpec",
    "TokenLogin",
    "TooManyTokens",
    "TooManyWaiting",
    "Verdict",
    "begin",
    "cancel_task",
    "cause_of_refresh",
    "cause_of_request",
    "cause_of_task",
    "complete_tasks",
    "connect_provider",
    "create_token",
    "delete_provider",
    "delete_task",
    "edit_grant",
    "edit_provider",
    "ensure_same_connection",
    "finish",
    "found_at_cloud",
    "give_grant",
    "issue_token",
    "keep_refused",
    "latest_end",
    "may_see",
    "note",
    "on_behalf_of",
    "parse_networks",
    "put_back",
    "queue_parts",
    "queue_work",
    "readable",
    "record_event",
    "record_loss",
    "request_deletion",
    "request_refresh",
    "request_refresh_of",
    "retry_task",
    "revoke_token",
    "rotate_credentials",
    "save_all",
    "settle_unfinished",
    "take_grant",
    "unreadable_credentials",
    "verify_credentials",
    "waiting_for_clouds",
]
