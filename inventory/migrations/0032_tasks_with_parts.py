import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from inventory.db.queues import CountWaiting


class Migration(migrations.Migration):

    dependencies = [
        ('inventory', '0031_tasks_that_name_others'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        # Requests now also share a lock, which one that queues many parts takes for itself.
        CountWaiting("Task"),
        migrations.AddField(
            model_name='task',
            name='parent',
            field=models.ForeignKey(db_index=False, editable=False, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='tasks', to='inventory.task'),
        ),
        migrations.AddIndex(
            model_name='task',
            index=models.Index(condition=models.Q(('parent', None), _negated=True), fields=['parent', 'id'], name='task_part'),
        ),
        migrations.AddIndex(
            model_name='task',
            index=models.Index(condition=models.Q(models.Q(('parent', None), _negated=True), models.Q(('state', 'Finished'), _negated=True)), fields=['parent'], name='task_unfinished_part'),
        ),
    ]
