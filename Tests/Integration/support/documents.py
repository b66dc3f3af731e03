"""Task documents, short to write."""


def process(name, cmdline, **fields):
    """A process; `min_duration` is 0 here, so that retries cost no time."""
    return {"name": name, "cmdline": cmdline, "min_duration": 0, **fields}


def document(*processes, image=None, container=None, name="task", ram=128 << 20, cpu=1.0, disk=64 << 20, order=None,
             pids=None, **fields):
    """A bare task. `image` is NAME:TAG; a process may be given as its command line alone."""
    made = [
        item if isinstance(item, dict) else process("main" if index == 0 else f"main{index}", item)
        for index, item in enumerate(processes)
    ]
    resources = {"cpu": cpu, "ram": ram, "disk": disk}
    if pids is not None:
        resources["pids"] = pids
    task = {"name": name, "processes": made, "resources": resources, **fields}
    if order:
        task["constraints"] = [{"order": order}]
    mesos = dict(container or {})
    if image:
        repository, tag = image.rsplit(":", 1)
        # A digest stays with the name.
        mesos["image"] = {"docker": {"name": image} if "@" in image else {"name": repository, "tag": tag}}
    if mesos:
        task["container"] = {"mesos": mesos}
    return task


def job(*processes, role="www-data", **fields):
    """A job around a task, as Aurora writes it."""
    task = document(*processes, **fields)
    made = {"cluster": "test", "role": role, "environment": "prod", "name": task["name"], "task": task}
    if "container" in task:
        made["container"] = task.pop("container")
    return made
