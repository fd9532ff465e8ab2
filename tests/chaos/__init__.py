"""Breaking a whole installation at random, and looking whether what was accepted is done, once, and kept.

    python -m tests.chaos --seed 7 --minutes 1 --on rabbitmq

Real servers and processes: PostgreSQL with RabbitMQ or Redis, or SQLite with the embedded broker; two web servers,
three workers and a scheduler, which are started again when they end, as systemd would; an EC2 endpoint that is
late, refuses, fails and loses requests and answers. Clients change the groups of instances, another tool changes
the same ports, and all the while processes are killed, servers restarted, messages lost and refreshes asked for.

What is done at random is decided by the seed, for each who does it; how it meets is up to the machine.
"""
