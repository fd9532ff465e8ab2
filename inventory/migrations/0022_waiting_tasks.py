from django.db import migrations

from inventory.db.queues import CountWaiting


class Migration(migrations.Migration):
    dependencies = [("inventory", "0021_task_request_id")]

    operations = [CountWaiting("Task")]
