"""A provider's credentials can only be decrypted in its own row. Until now, they could in every row."""

import json
import logging

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.core.management.base import CommandError
from django.db import migrations

import inventory.fields
from inventory import messages
from inventory.encryption import Ciphertext, UnreadableSecret

logger = logging.getLogger(__name__)


def bind(apps, schema_editor):
    """Tokens of earlier versions are read here for the last time."""
    fernet = old_cipher()

    def bound(field, provider, stored):
        provider.credentials = json.loads(fernet.decrypt(stored.text))
        return field.encrypted(provider)

    convert(apps, schema_editor, bound)


def unbind(apps, schema_editor):
    fernet = old_cipher()

    def unbound(field, provider, stored):
        return Ciphertext(fernet.encrypt(json.dumps(field.decrypted(stored, provider)).encode()).decode())

    convert(apps, schema_editor, unbound)


def old_cipher():
    return MultiFernet([Fernet(key) for key in settings.CREDENTIALS_KEYS])


def convert(apps, schema_editor, converted):
    """Convert what can be read. If nothing can, the key is a wrong one, and everything stays as it is."""
    model = apps.get_model('inventory', 'Provider')
    field = model._meta.get_field('credentials')
    providers = model.objects.using(schema_editor.connection.alias)
    unreadable, number = [], 0
    for provider in providers.select_for_update().order_by('pk').only('pk', 'name', 'guid', 'credentials'):
        stored = field.stored(provider)
        if not stored.text:
            continue
        number += 1
        try:
            new = converted(field, provider, stored)
        except (InvalidToken, UnreadableSecret):
            unreadable.append(provider.name)
        else:
            providers.filter(pk=provider.pk).update(credentials=new)
    if unreadable and len(unreadable) == number:
        raise CommandError(messages.wrong_credentials_key(unreadable))
    if unreadable:
        logger.warning('%s', messages.not_converted(unreadable))


class Migration(migrations.Migration):

    dependencies = [
        ('inventory', '0017_limited_tokens'),
    ]

    operations = [
        migrations.AlterField(
            'provider',
            'credentials',
            inventory.fields.EncryptedJSONField(
                blank=True, bound_to='guid', default=dict, help_text='userid and password; never shown.'
            ),
        ),
        migrations.RunPython(bind, unbind),
    ]
