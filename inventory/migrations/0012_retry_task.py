from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('inventory', '0011_what_clouds_allow'),
    ]

    operations = [
        migrations.AlterModelOptions(
            name='task',
            options={'ordering': ['id'], 'permissions': [('cancel_task', 'Can cancel a task'), ('retry_task', 'Can retry a task')]},
        ),
    ]
