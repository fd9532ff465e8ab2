"""Breaking a whole installation at random, and looking whether what was accepted is done, once, and kept.

    python -m tests.chaos --seed 7 --minutes 1 --on rabbitmq

Real servers and processes: PostgreSQL with RabbitMQ or Redis, or SQLite with the embedded broker; two web servers,
three workers and a scheduler, which are started again when they end, as systemd would; an EC2 endpoint that is
late, refuses, fails and loses requests and answers. Clients change the groups of instances, some with a grant that
is taken away and given back. Another tool changes the same ports. All the while processes are killed, servers
restarted, messages lost and refreshes asked for. The events, and their copies, are judged as well.

What is done at random is decided by the seed, for each who does it; how it meets is up to the machine.
"""
