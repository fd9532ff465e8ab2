import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from inventory.db.ended_tokens import EndTokens


def copy_tokens(apps, schema_editor):
    """Keep the tokens: clients go on with theirs."""
    old, new = (apps.get_model("inventory", name).objects.using(schema_editor.connection.alias) for name in ("AuthToken", "NewToken"))
    new.bulk_create(
        new.model(
            digest=token.digest,
            token_key=token.token_key,
            user_id=token.user_id,
            created=token.created,
            expiry=token.expiry,
            ttl=token.ttl,
            ends_on=token.created + settings.TOKEN_MAX_TTL,
        )
        for token in old.exclude(expiry=None).exclude(user__is_active=False).order_by("created")
    )
    for token in old.iterator():  # bulk_create sets the time of creation anew
        new.filter(digest=token.digest).update(created=token.created)


class Migration(migrations.Migration):

    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        ("inventory", "0016_login_failures"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RenameModel("GroupMember", "LimitedUser"),
        # The primary key changes, so the rows move to a new table.
        migrations.CreateModel(
            name="NewToken",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("digest", models.CharField(max_length=128, unique=True)),
                ("token_key", models.CharField(db_index=True, max_length=25)),
                ("created", models.DateTimeField(auto_now_add=True)),
                ("name", models.CharField(blank=True, max_length=255, null=True)),
                ("read_only", models.BooleanField(default=False)),
                ("addresses", models.JSONField(blank=True, default=list)),
                ("expiry", models.DateTimeField()),
                ("ttl", models.DurationField(null=True)),
                ("ends_on", models.DateTimeField()),
                ("last_used_on", models.DateTimeField(null=True)),
                ("issued_by", models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name="issued", to="inventory.newtoken")),
                ("group", models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name="+", to="auth.group")),
                ("user", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="auth_token_set", to=settings.AUTH_USER_MODEL)),
            ],
            options={"ordering": ["id"]},
        ),
        migrations.RunPython(copy_tokens, migrations.RunPython.noop, elidable=True),
        migrations.DeleteModel("AuthToken"),
        migrations.RenameModel("NewToken", "AuthToken"),
        EndTokens("AuthToken"),
    ]
