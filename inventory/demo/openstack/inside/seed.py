"""`seed.py catalog JSON` creates the service catalog. `seed.py images URL` creates what servers need."""

import json
import sys

import openstack


def connect(url):
    return openstack.connection.Connection(
        auth={
            "auth_url": url,
            "username": "admin",
            "password": "admin",  # nosec B105  # of a cloud on loopback for trying things out
            "project_name": "admin",
            "user_domain_id": "default",
            "project_domain_id": "default",
        },
        region_name="RegionOne",
    )


def catalog(config):
    config = json.loads(config)
    identity = connect(config["keystone"]).identity
    name, password = config["user"]
    project = identity.find_project(name) or identity.create_project(name=name)
    user = identity.find_user(name) or identity.create_user(name=name, password=password)
    for role_name in ("admin", "service"):
        role = identity.find_role(role_name) or identity.create_role(name=role_name)
        identity.assign_project_role_to_user(project, user, role)
    for kind, url in config["endpoints"].items():
        if not list(identity.services(type=kind)):
            service = identity.create_service(name=kind, type=kind)
            identity.create_endpoint(service_id=service.id, interface="public", url=url, region_id="RegionOne")


def images(url):
    cloud = connect(url)
    if not cloud.compute.find_flavor("tiny"):
        cloud.compute.create_flavor(name="tiny", ram=64, vcpus=1, disk=1)
    if not cloud.image.find_image("nothing"):
        form = {"disk_format": "raw", "container_format": "bare", "visibility": "public"}
        cloud.image.create_image(name="nothing", data=b"\0", **form)


{"catalog": catalog, "images": images}[sys.argv[1]](sys.argv[2])
