"""Events of tokens that end, whatever ends them."""

from django.db import migrations

from inventory.db.events import RecordEvents


class Migration(migrations.Migration):

    dependencies = [
        ('inventory', '0027_events'),
    ]

    operations = [
        RecordEvents(
            'AuthToken',
            deleted='token_revoked',
            messages={'token_revoked': 'A token of {user} was revoked'},  # nosec B105 - no token
            columns=['id', 'name', 'read_only'],
            flags=['read_only'],
            # One that has expired was no longer valid.
            joins='JOIN auth_user AS account ON account.id = written.user_id AND written.expiry > CURRENT_TIMESTAMP',
            names={'user': 'account.username'},
            ids={},
        ),
    ]
